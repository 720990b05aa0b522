"""Signatures are those of Standard Webhooks, so that its libraries verify them."""

from __future__ import annotations

import base64

from app.webhooks.signature import new_secret, secret_text, signed_headers

# From the tests of the specification's own library (libraries/javascript/src/webhook.test.ts).
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
MESSAGE, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published():
    assert signed_headers([SECRET], MESSAGE, TIMESTAMP, BODY) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_while_a_secret_changes_both_sign():
    new = new_secret()
    both = signed_headers([new, SECRET], MESSAGE, TIMESTAMP, BODY)["webhook-signature"].split(" ")
    assert both == [signed_headers([new], MESSAGE, TIMESTAMP, BODY)["webhook-signature"], SIGNATURE]
    assert both[0] != SIGNATURE


def test_id_time_and_body_are_all_signed():
    signed = {
        signed_headers([SECRET], *given)["webhook-signature"]
        for given in (
            (MESSAGE, TIMESTAMP, BODY),
            (MESSAGE + "x", TIMESTAMP, BODY),
            (MESSAGE, TIMESTAMP + 1, BODY),
            (MESSAGE, TIMESTAMP, BODY + b" "),
        )
    }
    assert len(signed) == 4


def test_a_secret_is_random_long_enough_and_written_as_libraries_take_it():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert 24 <= len(base64.b64decode(secret_text(secret).removeprefix("whsec_"), validate=True)) <= 64
