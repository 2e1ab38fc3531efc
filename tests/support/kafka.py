"""A real Apache Kafka for tests: one KRaft node that can be stopped, killed and started on the same port and data.

From Docker where it answers, else from Maven's jars where Java is, else a reason to skip. GOODWORD_TEST_KAFKA
forces one of `docker`, `maven`, `off`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from goodword.embedded.ports import free_port

KAFKA_VERSION = "4.1.0"
IMAGE = f"apache/kafka:{KAFKA_VERSION}"
START_S_MAX = 180.0
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
}


class KafkaUnavailable(Exception):
    """No Kafka can be had here; the message says why."""


class KafkaServer(ABC):
    """One broker. Blocking: from a coroutine, call it through `asyncio.to_thread`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"

    @abstractmethod
    def start(self) -> None:
        """Start, first or again, and return when the broker answers."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL."""

    @abstractmethod
    def close(self) -> None:
        """Stop it and take its data away."""

    def _wait_ready(self) -> None:
        """Until the broker answers ApiVersions; a bound port alone is Docker's proxy, not Kafka."""
        deadline = time.monotonic() + START_S_MAX
        request = bytes.fromhex("0000000e00120000000000010004") + b"test"
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    probe.sendall(request)
                    if probe.recv(8):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise KafkaUnavailable(f"Kafka did not answer on {self.servers} within {START_S_MAX:g} s\n{self._last_words()}")

    @abstractmethod
    def _last_words(self) -> str:
        """The end of its log."""


class DockerKafka(KafkaServer):
    def __init__(self) -> None:
        super().__init__()
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        from testcontainers.core.container import DockerContainer

        settings = {
            **SETTINGS,
            "controller.quorum.voters": "1@localhost:9093",
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
        }
        self._container = DockerContainer(IMAGE).with_bind_ports(9092, self.port).with_env("CLUSTER_ID", CLUSTER_ID)
        self._container.with_env("KAFKA_HEAP_OPTS", "-Xmx512m -Xms256m")
        for name, value in settings.items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        self._is_made = False

    def start(self) -> None:
        if self._is_made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._is_made = True
        self._wait_ready()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill(signal="SIGKILL")
        self._container.get_wrapped_container().wait()

    def close(self) -> None:
        if self._is_made:
            self._container.stop(force=True)

    def _last_words(self) -> str:
        container = self._container.get_wrapped_container()
        container.reload()
        return f"{container.status}\n{container.logs(tail=20).decode(errors='replace')}"


class MavenKafka(KafkaServer):
    def __init__(self) -> None:
        super().__init__()
        self._jars = _jars()
        self._folder = Path(tempfile.mkdtemp(prefix="goodword-kafka-"))
        settings = self._settings()
        self._properties = self._folder / "server.properties"
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process: subprocess.Popen[bytes] | None = None
        format_command = ["format", "-t", CLUSTER_ID, "-c", str(self._properties), *self._format_options()]
        self._java("kafka.tools.StorageTool", *format_command).wait()

    def _settings(self) -> dict[str, str]:
        controller_port = free_port()
        return {
            **SETTINGS,
            "controller.quorum.voters": f"1@localhost:{controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "log.dirs": str(self._folder / "data"),
        }

    def _format_options(self) -> list[str]:
        return []

    def start(self) -> None:
        self._process = self._java("kafka.Kafka", str(self._properties))
        self._wait_ready()

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _last_words(self) -> str:
        return (self._folder / "kafka.log").read_text(errors="replace")[-3_000:]

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "kafka.log").open("ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx512m", "-Xms256m", "-cp", f"{self._jars}/*", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


class SecuredKafka(MavenKafka):
    """One that is also spoken to over TLS, at `secured_servers`, and asks who one is: USER with PASSWORD.

    `ca_file` is the authority of its certificate, made here with openssl.
    """

    USER, PASSWORD = "goodword", "tell-nobody"

    def __init__(self) -> None:
        self.secured_servers = f"localhost:{free_port()}"
        super().__init__()

    def _settings(self) -> dict[str, str]:
        self.ca_file = self._folder / "certificate.pem"
        key_file = self._folder / "key.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
        files = ["-keyout", str(key_file), "-out", str(self.ca_file)]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        # Kafka takes certificate and key from one file, in this order.
        keystore = self._folder / "keystore.pem"
        keystore.write_text(key_file.read_text() + self.ca_file.read_text())
        login = "org.apache.kafka.common.security"
        settings = super()._settings()
        return settings | {
            "listeners": f"{settings['listeners']},SECURED://{self.secured_servers}",
            "advertised.listeners": f"{settings['advertised.listeners']},SECURED://{self.secured_servers}",
            "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},SECURED:SASL_SSL",
            "listener.name.secured.ssl.keystore.type": "PEM",
            "listener.name.secured.ssl.keystore.location": str(keystore),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.secured.plain.sasl.jaas.config": f"{login}.plain.PlainLoginModule required"
            f' user_{self.USER}="{self.PASSWORD}";',
            "listener.name.secured.scram-sha-256.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
            "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
        }

    def _format_options(self) -> list[str]:
        return [
            option
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for option in ("--add-scram", f"{mechanism}=[name={self.USER},password={self.PASSWORD}]")
        ]


async def without_topics(servers: str) -> None:
    """Delete our topics, and with them the offsets of their groups; returns when they are gone."""
    names = {topic.name for topic in TOPICS} | {topic.dlq for topic in TOPICS}
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        there = names & set(await admin.list_topics())
        if there:
            await admin.delete_topics(sorted(there))
        while names & set(await admin.list_topics()):  # noqa: ASYNC110 - what is waited for is in the broker
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


Kafka = TypeVar("Kafka", bound=KafkaServer)


@contextlib.contextmanager
def kafka_or_skip(make: Callable[[], Kafka]) -> Iterator[Kafka]:
    """A broker until the end of the block, or a skip with the reason why there is none here."""
    try:
        server = make()
    except KafkaUnavailable as unavailable:
        pytest.skip(str(unavailable))
    try:
        yield server
    finally:
        server.close()


def make_secured_kafka() -> SecuredKafka:
    """A secured broker that is started. Raises KafkaUnavailable with the reason."""
    if os.environ.get("GOODWORD_TEST_KAFKA", "") == "off":
        raise KafkaUnavailable("GOODWORD_TEST_KAFKA=off")
    missing = _missing("maven") or ("" if shutil.which("openssl") else "openssl is not installed")
    if missing:
        raise KafkaUnavailable(f"no secured Kafka here: {missing}")
    server = SecuredKafka()
    server.start()
    return server


def make_kafka() -> KafkaServer:
    """A broker that is started. Raises KafkaUnavailable with the reason."""
    forced = os.environ.get("GOODWORD_TEST_KAFKA", "")
    if forced == "off":
        raise KafkaUnavailable("GOODWORD_TEST_KAFKA=off")
    reasons: list[str] = []
    for name, kind in (("docker", DockerKafka), ("maven", MavenKafka)):
        if forced and forced != name:
            continue
        missing = _missing(name)
        if missing:
            reasons.append(missing)
            continue
        server = kind()
        server.start()
        return server
    raise KafkaUnavailable("no Kafka here: " + "; ".join(reasons))


def _missing(name: str) -> str:
    if name == "docker":
        if shutil.which("docker") is None:
            return "docker is not installed"
        answer = subprocess.run(
            ["docker", "info"], capture_output=True, check=False, timeout=30, stdin=subprocess.DEVNULL
        )
        return "" if answer.returncode == 0 else "the Docker engine does not answer"
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return ""


def _jars() -> Path:
    """Kafka's jars, from Maven, kept for the next time."""
    folder = Path.home() / ".cache" / "goodword" / f"kafka-{KAFKA_VERSION}"
    if any(folder.glob("kafka_2.13-*.jar")):
        return folder
    with tempfile.TemporaryDirectory() as project:
        pom = Path(project) / "pom.xml"
        dependencies = "".join(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            "</dependency>"
            for group, artifact, version in (
                ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
                ("org.slf4j", "slf4j-simple", "1.7.36"),
            )
        )
        pom.write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>goodword</groupId><artifactId>test-kafka</artifactId>"
            f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
        )
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
            capture_output=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode != 0:
        raise KafkaUnavailable(f"Maven could not fetch Kafka: {done.stdout.decode(errors='replace')[-500:]}")
    return folder
