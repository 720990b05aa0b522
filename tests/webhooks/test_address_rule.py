"""Receivers stand in the plant's network; loopback and metadata services are out of reach, however written."""

from __future__ import annotations

import pytest

from app.webhooks.address_rule import fault_of_address, fault_of_host, shown


@pytest.mark.parametrize(
    "address",
    [
        "http://cmms:9080/maximo",
        "https://10.2.3.4/hook?token=abc",
        "https://[fd12:3456::1]:8443/",
        "https://cmms.plant.example",
    ],
)
def test_receivers_of_the_plant_may_be_told(address):
    assert fault_of_address(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "cmms/hook",
        "//cmms/hook",
        "ftp://cmms/hook",
        "file:///etc/passwd",
        "gopher://cmms:25/_MAIL",
        "http://",
        "http:///hook",
        "http://:80/",
        "http://cmms:0/",
        "http://cmms:65536/",
        "http://cmms:x/",
        "http://user:word@cmms/",
        "http://@cmms/",
        "http://169.254.169.254@cmms/",
        "http://cmms/#x",
        "http://cmms/\r\nHost: other",
        "http://cmms/a b",
        "http://[::1",
        "http://münchen.example/",
        "http://cmms/\x00",
    ],
)
def test_what_is_no_plain_address_is_refused_with_a_sentence(address):
    assert fault_of_address(address).endswith(".")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "192.168.1.20", "172.16.9.9", "fd12:3456::1", "93.184.216.34", "2606:2800:220:1::1"]
)
def test_private_and_public_hosts_may_be_connected_to(host):
    assert fault_of_host(host, loopback=False) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)
def test_loopback_only_where_the_setting_allows_it(host):
    assert "WEARWATCH_WEBHOOK_LOOPBACK" in fault_of_host(host, loopback=False)
    assert fault_of_host(host, loopback=True) is None


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_metadata_link_local_and_multicast_never(host):
    assert "where no receiver may be" in fault_of_host(host, loopback=True)


def test_a_query_is_not_shown():
    assert shown("https://cmms:8443/hook?token=abc&x=1") == "https://cmms:8443/hook?***"
    assert shown("https://cmms/hook") == "https://cmms/hook"
