"""The lab's files: the compose file against the specification, the switch around our XML, the callers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import gevent.socket
import pytest
import yaml
from compose_pydantic import ComposeSpecification
from gevent.server import StreamServer
from pydantic import ValidationError

from consentivr.config import Configuration, load
from consentivr.lab import native

LAB = Path(__file__).parents[1] / "lab"


def test_the_compose_file_follows_the_specification() -> None:
    data = yaml.safe_load((LAB / "docker-compose.yml").read_text(encoding="utf-8"))
    made = ComposeSpecification.model_validate(data)
    assert set(made.services or {}) >= {"freeswitch", "consentivr", "caller-agrees", "caller-objects"}
    data["services"]["freeswitch"]["imge"] = "x"
    with pytest.raises(ValidationError):
        ComposeSpecification.model_validate(data)


def test_the_compose_file_refers_to_what_is_there() -> None:
    services = yaml.safe_load((LAB / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        build = service.get("build")
        if build:
            context = LAB / (build if isinstance(build, str) else build["context"])
            assert (
                context / ("Dockerfile" if isinstance(build, str) else build.get("dockerfile", "Dockerfile"))
            ).exists()
        for word in service.get("command", []):
            if word.startswith("/scenarios/"):
                assert (LAB / "sipp" / Path(word).name).exists()
            if word.startswith("/app/"):
                assert (LAB.parent / word.removeprefix("/app/")).exists()
    image, _, tag = services["freeswitch"]["image"].partition(":")
    assert image
    assert tag not in ("", "latest")


def test_the_labs_configuration_is_valid() -> None:
    assert load(LAB / "consentivr.yaml").lines["support"].number == "5000"


def test_the_switch_around_our_xml(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("run_lab", LAB / "run_lab.py")
    assert spec is not None
    assert spec.loader is not None
    run_lab = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_lab)
    run_lab.prepare(tmp_path)
    text = (tmp_path / "conf" / "freeswitch.xml").read_text()
    for line in text.splitlines():
        if "X-PRE-PROCESS" in line:
            assert line.strip().startswith("<X-PRE-PROCESS"), "FreeSWITCH takes a whole line for it"
            included = Path(ElementTree.fromstring(line.strip()).get("data", ""))
            ElementTree.parse(included)
    root = ElementTree.fromstring(text)
    loaded = {module.get("module") for module in root.iter("load")}
    assert loaded == set(native.MODULES)
    assert [agent.get("name") for agent in root.iter("agent")] == [
        "1001@default",
        "1002@default",
        "1003@default",
    ]
    assert list((tmp_path / "sounds").rglob("question.wav"))


def test_no_freeswitch_is_said_clearly(
    configure: Callable[..., Configuration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSENTIVR_FREESWITCH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="CONSENTIVR_FREESWITCH"):
        native.NativeSwitch(configure(), tmp_path)


def test_the_event_socket_speaks_inbound_esl() -> None:
    """Against a scripted switch: greeting, password, an API command, a background one."""

    def switch(sock: gevent.socket.socket, _peer: object) -> None:
        sock.sendall(b"Content-Type: auth/request\n\n")
        answers = {
            b"auth secret": b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n",
            b"auth wrong": b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n",
            b"api status": b"Content-Type: api/response\nContent-Length: 3\n\nUP\n",
            b"bgapi originate x": b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: 1\n\n",
        }
        buffer = b""
        while data := sock.recv(4096):
            buffer += data
            *commands, buffer = buffer.split(b"\n\n")
            for command in commands:
                sock.sendall(answers[command])

    server = StreamServer(("127.0.0.1", 0), switch)
    server.start()
    client = native.EventSocket(server.server_port, "secret")
    assert client.api("status") == "UP"
    client.start("originate x")
    assert client.api("status") == "UP"
    client.close()
    with pytest.raises(ConnectionError):
        native.EventSocket(server.server_port, "wrong")
    server.stop()
    with pytest.raises(OSError):
        native.EventSocket(server.server_port, "secret")
