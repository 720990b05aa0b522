"""Line protocol over HTTP, in the words of both versions of InfluxDB."""

from __future__ import annotations

import asyncio
import base64
import gzip
from errno import ENOSPC

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.database import make_engine
from app.errors import StorageFull, TooBusy, TooSlow, Unavailable
from app.ingest import body as arriving
from app.ingest.committer import Committer
from app.ingest.influx.series import KnownSeries
from app.ingest.mapping_file import mapping_of
from app.security.principal import Role
from tests.ingest.influx.conftest import NOON, NS, counted

LINE = f"motor,machine=press-07 temperature_c=61.2 {NOON * NS}"
AT_NOON = "2026-11-20 12:00:00"


def test_a_line_becomes_a_reading(write, stored):
    answer = write(f"motor,machine=press-07,line=a temperature_c=61.2,vibration_mm_s=2.1,rpm=1480i {NOON * NS}\n")
    assert (answer.status_code, answer.content) == (204, b"")
    assert counted(answer) == {"accepted": 1, "lines": 1}
    assert stored() == [("press-07", AT_NOON, {"temperature_c": 61.2, "vibration_mm_s": 2.1, "rpm": 1480.0})]


def test_a_line_for_each_field_becomes_one_reading(write, stored):
    fields = ("temperature_c=61.2", "vibration_mm_s=2.1", "current_a=14.3", "oil_bar=5", "rpm=1480i")
    answer = write("\n".join(f"motor,machine=press-07 {each} {NOON * NS}" for each in fields))
    assert counted(answer) == {"accepted": 1, "lines": 5}
    channels = {"temperature_c": 61.2, "vibration_mm_s": 2.1, "current_a": 14.3, "oil_bar": 5.0, "rpm": 1480.0}
    assert stored() == [("press-07", AT_NOON, channels)]


def test_a_line_without_a_time_was_measured_now(write, engine):
    assert write("motor,machine=press-07 temperature_c=61.2").status_code == 204
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT now() - measured_at < interval '1 minute' FROM readings"))


def test_a_time_is_in_the_precision_of_the_request(write, stored):
    written = {
        "/api/v2/write": NOON * NS,
        "/api/v2/write?precision=ns": NOON * NS,
        "/api/v2/write?precision=us": NOON * 10**6,
        "/api/v2/write?precision=ms&bucket=b&org=o": NOON * 10**3,
        "/api/v2/write?precision=s": NOON,
        "/write?db=telegraf": NOON * NS,
        "/write?precision=n": NOON * NS,
        "/write?precision=u": NOON * 10**6,
        "/write?precision=ms": NOON * 10**3,
        "/write?precision=s&rp=autogen&consistency=one": NOON,
        "/write?precision=m": NOON // 60,
        "/write?precision=h": NOON // 3600,
    }
    for number, (path, time) in enumerate(written.items()):
        assert write(f"motor,machine=m{number} temperature_c=1 {time}", path).status_code == 204, path
    assert [at for _, at, _ in stored()] == [AT_NOON] * len(written)


def test_an_unknown_precision_is_named_with_those_that_are_known(write):
    for path in ("/api/v2/write?precision=h", "/write?precision=days", "/write?precision="):
        answer = write(LINE, path)
        assert answer.status_code == 400
        assert "invalid precision; valid precision units are ns, us, ms, s" in answer.text


def test_gzip_is_unpacked(write, stored):
    assert write(gzip.compress(LINE.encode()), **{"content-encoding": "gzip"}).status_code == 204
    assert len(stored()) == 1


def test_the_lines_at_fault_are_named_and_the_others_stored(write, stored, engine):
    lines = (
        f"motor,machine=a temperature_c=61.2 {NOON * NS}",
        "# a comment",
        "motor,machine=a",
        f"motor,machine=a temperature_c=9999,rpm=1 {(NOON + 1) * NS}",
        f"motor,hall=3 temperature_c=1 {NOON * NS}",
        f"motor,machine=b temperature_c=61 {NOON * NS}",
    )
    answer = write("\n".join(lines))
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["line"] == 3
    message = answer.json()["message"]
    assert message.startswith("partial write: line 3: missing fields; line 4: temperature_c: 9999 is above 2000")
    assert "line 5: machine: nothing names the machine; looked for machine, " in message
    assert message.endswith("dropped=3")
    assert [machine for machine, _, _ in stored()] == ["a", "b"]
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT payload FROM rejected_readings ORDER BY id")).scalars().all()
    assert (lines[2] in kept, lines[4] in kept, len(kept)) == (True, True, 3)


def test_version_1_hears_of_a_partial_write_in_its_own_shape(write, stored):
    answer = write(f"{LINE}\nmotor,machine=a temperature_c=x 1", "/write?db=plant")
    assert answer.status_code == 400
    assert answer.json() == {"error": "partial write: line 2: temperature_c: invalid number 'x' dropped=1"}
    assert len(stored()) == 1


def test_a_bad_line_does_not_take_its_machines_other_lines_of_that_time_with_it(write, stored):
    answer = write(
        f"motor,machine=a temperature_c=9999 {NOON * NS}\nmotor,machine=a vibration_mm_s=2 {NOON * NS}\n"
        f"motor,machine=a current_a=1 {NOON * NS}"
    )
    assert answer.json()["line"] == 1
    assert stored() == [("a", AT_NOON, {"vibration_mm_s": 2.0, "current_a": 1.0})]


def test_all_lines_of_an_unknown_machine_are_named_where_none_may_be_added(write, send_as, stored):
    send_as(Role.SENSOR, may_register_machines=False)
    answer = write(f"m,machine=new temperature_c=1 {NOON * NS}\nm,machine=new current_a=1 {NOON * NS}")
    assert answer.status_code == 400
    assert "line 1: machine: the machine is not known" in answer.json()["message"]
    assert "line 2: machine: the machine is not known" in answer.json()["message"]
    assert stored() == []


def test_sent_again_changes_nothing_and_a_contradiction_is_kept_apart(write, stored, client):
    assert counted(write(LINE)) == {"accepted": 1, "lines": 1}
    assert counted(write(LINE)) == {"duplicate": 1, "lines": 1}
    answer = write(LINE.replace("61.2", "70"))
    assert (answer.status_code, counted(answer)) == (204, {"conflict": 1, "lines": 1})
    assert stored() == [("press-07", AT_NOON, {"temperature_c": 61.2})]
    assert client.get("/api/v1/readings/conflicts").json()["items"][0]["refused_value"] == 70


def test_a_contradiction_within_a_request_is_kept_apart_too(write, stored):
    answer = write(f"{LINE}\n{LINE.replace('61.2', '70')}\n{LINE.replace('temperature_c=61.2', 'current_a=3')}")
    assert answer.status_code == 204
    assert counted(answer) == {"accepted": 1, "conflict": 1, "merged": 1, "lines": 3}
    assert stored() == [("press-07", AT_NOON, {"temperature_c": 61.2, "current_a": 3.0})]


def test_lines_that_differ_in_an_extra_channel_only_are_kept_apart_too(write, stored, client):
    answer = write("\n".join(f"motor,machine=a oil_bar={value} {NOON * NS}" for value in (5, 6, 5)))
    assert (answer.status_code, counted(answer)) == (
        204,
        {"accepted": 1, "conflict": 1, "duplicate": 1, "lines": 3},
    )
    assert stored() == [("a", AT_NOON, {"oil_bar": 5.0})]
    assert client.get("/api/v1/readings/conflicts").json()["items"][0]["refused_value"] == 6


@pytest.mark.parametrize("lines_a_request", [601, 300, 50])
def test_what_is_stored_of_many_lines_of_one_moment_does_not_depend_on_the_requests(write, stored, lines_a_request):
    fields = [*(f"x{number}={number}" for number in range(600)), "temperature_c=61.2,x0=0"]
    lines = [f"motor,machine=a {field} {NOON * NS}" for field in fields]
    for begin in range(0, len(lines), lines_a_request):
        assert write("\n".join(lines[begin : begin + lines_a_request])).status_code == 204
    channels = {f"x{number}": float(number) for number in range(600)} | {"temperature_c": 61.2}
    assert stored() == [("a", AT_NOON, channels)]


def test_texts_and_truth_values_do_not_make_a_line_fail(write, stored):
    answer = write(
        f'motor,machine=a temperature_c=1,state="all, \\"ok\\"",on=true {NOON * NS}\nlog,machine=a m="x" 1'
    )
    assert (answer.status_code, counted(answer)) == (204, {"accepted": 1, "lines": 1, "ignored_fields": 3})
    assert stored() == [("a", AT_NOON, {"temperature_c": 1.0})]


def test_a_text_where_a_named_channel_belongs_is_a_fault(write):
    answer = write(f'motor,machine=a temperature_c="61.2" {NOON * NS}')
    assert (answer.status_code, "line 1: temperature_c: a text is not a number" in answer.text) == (400, True)


def test_the_plants_mapping_is_used(write, stored, application):
    mapping = mapping_of(
        {
            "machine": {"template": "{hall}-{unit}"},
            "channels": {"modbus.reg_7": {"channel": "temperature_c", "unit": "degF"}},
            "ignore": {"measurements": ["cpu*"], "fields": ["*_raw"]},
        }
    )
    application.state.known_series = KnownSeries(mapping)
    answer = write(
        f"modbus,hall=3,unit=7 reg_7=212,reg_8=5,x_raw=9 {NOON * NS}\ncpu_total idle=1 {NOON * NS}\n"
        f"modbus,hall=3 reg_7=212 {NOON * NS}"
    )
    assert answer.json()["message"] == (
        "partial write: line 3: machine: unit is missing, which the mapping makes the machine's key of dropped=1"
    )
    assert stored() == [("3-7", AT_NOON, {"temperature_c": 100.0, "reg_8": 5.0})]
    assert counted(answer)["ignored_fields"] == 2


def key_of(client) -> str:
    return client.headers.pop("authorization").removeprefix("Bearer ")


def test_a_key_may_come_in_each_of_influxdbs_ways(write, client):
    key = key_of(client)
    basic = base64.b64encode(f"me:{key}".encode()).decode()
    for header in (f"Token {key}", f"token sensors:{key}", f"Bearer {key}", f"Basic {basic}"):
        for path in ("/api/v2/write", "/write"):
            assert write(LINE, path, authorization=header).status_code == 204, header
            assert write(LINE, path, authorization=header[:-2]).status_code == 401, header


def test_what_is_no_key_at_all_is_401(write, client):
    key_of(client)
    for header in ("Token", "Token ", "Basic", "Basic %%%", "Basic bWU=", "Basic bWU6", "Digest x", "Token \xe9"):
        assert write(LINE, authorization=header.encode("latin-1")).status_code == 401, header
    for query in ("p=", "p=%00", "p=%ff%fe", "p=ww_é", "u=a&p=b&p=c"):
        assert write(LINE, f"/write?{query}").status_code == 401, query


def test_version_1_may_send_its_key_in_the_address_and_version_2_may_not(write, client):
    key = key_of(client)
    assert write(LINE, f"/write?db=x&u=me&p={key}").status_code == 204
    assert write(LINE, f"/write?u=me&p={key}x").json() == {"error": "This key is unknown, expired or revoked."}
    refused = write(LINE, f"/api/v2/write?u=me&p={key}")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


def test_a_key_in_the_address_opens_nothing_else(client, send_as):
    key = key_of(client)
    assert client.get(f"/api/v1/machines?p={key}").status_code == 401
    assert client.get("/api/v1/machines", headers={"authorization": f"Token {key}"}).status_code == 401


def test_a_key_in_the_address_is_not_logged(write, client, caplog, capfd):
    key = key_of(client)
    with caplog.at_level("DEBUG"):
        assert write("motor", f"/write?u=me&p={key}").status_code == 400
        assert write("motor", f"/write?u=me&p={key}x").status_code == 401
    # The test's own client writes addresses down.
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    heard = ours + "".join(capfd.readouterr())
    assert "/write" in heard
    assert key not in heard


def test_who_may_post_readings_may_write_lines(write, send_as):
    for role, status in ((Role.SENSOR, 204), (Role.OPERATOR, 403), (Role.ADMIN, 204)):
        send_as(role)
        for path in ("/api/v2/write", "/write"):
            answer = write(LINE, path)
            assert answer.status_code == status
        assert status == 204 or "needs the role sensor" in answer.json()["error"]


def test_nobody_may_write_without_a_key(write, client):
    key_of(client)
    assert write(LINE).json() == {
        "code": "unauthorized",
        "message": "Sign in, or send a key as `Authorization: Bearer ww_...`.",
    }
    assert client.post("/query?q=CREATE DATABASE x").status_code == 401


def test_too_much_at_once_is_413_so_that_clients_split_it(write, application):
    application.state.settings = application.state.settings.model_copy(update={"max_rows": 3})
    assert write("\n".join([LINE] * 3)).status_code == 204
    answer = write("\n".join([LINE] * 4))
    assert (answer.status_code, answer.json()["code"]) == (413, "request too large")


def test_a_body_that_is_too_large_is_413_in_the_shape_of_its_version(write, application):
    settings = application.state.settings.model_copy(
        update={"max_body_bytes": 1024, "max_decompressed_bytes": 2048}
    )
    application.state.settings = settings
    for body, headers in ((LINE * 100, {}), (gzip.compress(LINE.encode() * 100), {"content-encoding": "gzip"})):
        answer = write(body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "request too large")
        assert "body is larger than" in write(body, "/write", **headers).json()["error"]
    announced = write(LINE, "/write", **{"content-length": "999999999"})
    assert (announced.status_code, list(announced.json())) == (413, ["error"])


def test_a_body_that_is_no_gzip_is_named(write):
    answer = write(b"no gzip", **{"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_a_bad_value_is_kept_with_its_machine(write, client):
    assert write(f"motor,machine=a rpm=fast {NOON * NS}").status_code == 400
    kept = client.get("/api/v1/readings/rejected").json()["items"][0]
    assert (kept["machine"], kept["field"], kept["reason"]) == ("a", "rpm", "invalid number 'fast'")


def test_a_busy_service_says_when_to_come_back(write, application, monkeypatch):
    monkeypatch.setattr(application.state.committer._live, "most_requests", 0)
    answer = write(LINE)
    assert (answer.status_code, answer.json()["code"]) == (429, "too many requests")
    assert int(answer.headers["retry-after"]) > 0


def test_a_database_that_is_away_is_503_with_retry_after(write, application, client):
    away = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    whole = application.state.committer
    application.state.committer = Committer(away, application.state.settings)
    answer = write(LINE)
    client.portal.call(application.state.committer.stop)
    application.state.committer = whole
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "passing",
    [
        TooSlow("too slow"),
        Unavailable("away"),
        TooBusy("busy"),
        StorageFull("full"),
        IntegrityError("insert", {}, Exception()),
        OperationalError("insert", {}, Exception()),
        OSError(ENOSPC, "full"),
    ],
)
def test_what_may_pass_is_an_answer_after_which_clients_send_again(write, application, monkeypatch, passing):
    """Telegraf and others throw a batch away for every 4xx but 429, 401, 403 and 413."""

    def fails() -> None:
        raise passing

    monkeypatch.setattr(application.state.committer, "check_room", fails)
    for path in ("/api/v2/write", "/write"):
        assert write(LINE, path).status_code in (429, 503, 507)


def test_a_body_that_does_not_arrive_in_time_is_503_with_retry_after(write, monkeypatch):
    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(arriving, "SECONDS_TO_ARRIVE", 0.01)
    monkeypatch.setattr(arriving.Arriving, "whole", never)
    for path in ("/api/v2/write", "/write"):
        answer = write(LINE, path)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "did not arrive within" in answer.text


def test_fields_of_one_name_in_two_measurements_are_one_channel_unless_the_mapping_tells_them_apart(
    write, stored, application
):
    lines = f"mem,host=a used=1 {NOON * NS}\ndisk,host=a used=2 {NOON * NS}"
    assert counted(write(lines)) == {"accepted": 1, "conflict": 1, "lines": 2}
    application.state.known_series = KnownSeries(mapping_of({"channels": {"disk.used": "disk_used"}}))
    assert counted(write(lines.replace("=a", "=b"))) == {"accepted": 1, "lines": 2}
    assert stored()[1] == ("b", AT_NOON, {"used": 1.0, "disk_used": 2.0})


def test_what_clients_ask_first(client, send_as):
    for answer in (client.get("/ping"), client.head("/ping")):
        assert (answer.status_code, answer.headers["x-influxdb-version"]) == (204, "1.8.10")
    assert client.get("/health").json()["status"] == "pass"
    made = {"results": [{"statement_id": 0}]}
    assert client.post("/query", params={"q": 'CREATE DATABASE "telegraf"'}).json() == made
    assert client.post("/query", data={"q": "create database x"}).json() == made
    answer = client.post("/query", data={"q": "DROP DATABASE x"})
    assert (answer.status_code, answer.json()["error"][:20]) == (400, "error parsing query:")


def test_nothing_to_store_is_no_fault(write):
    for body in ("", "\n\n", "# nothing\n", " \r\n", 'log,machine=a text="x"'):
        assert write(body).status_code == 204
