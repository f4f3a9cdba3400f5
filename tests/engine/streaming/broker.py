"""A real Kafka broker for the tests: its jars from Maven Central, one process on loopback, in KRaft mode."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.engine.spark.runtime import fetched, free_port, wait_for

POM = Path(__file__).with_name("kafka.xml")
PASSWORD = "p4ss-of-the-reader"
START_SECONDS = 60
_JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp")


@dataclass(frozen=True)
class Broker:
    """A running broker.

    Attributes:
        address: That needs no password.
        sasl_address: That does.
    """

    address: str
    sasl_address: str

    def topic(self, name: str, partitions: int = 2, **settings: str) -> str:
        """Make a topic."""
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(30)
        return name

    def grow(self, name: str, partitions: int) -> None:
        """Give a topic more partitions."""
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_partitions([NewPartitions(name, partitions)])[name].result(30)

    def empty(self, name: str, partition: int, before: int) -> None:
        """Remove the rows of a partition before an offset."""
        admin = AdminClient({"bootstrap.servers": self.address})
        where = TopicPartition(name, partition, before)
        admin.delete_records([where])[where].result(30)

    def send(self, topic: str, *values: str | None, partition: int = 0, **more: Any) -> None:
        """Send rows, in one transaction where the client is given an identifier of one; it can be aborted."""
        transaction, aborts = more.pop("transaction", None), more.pop("aborts", False)
        settings = {"bootstrap.servers": self.address} | ({"transactional.id": transaction} if transaction else {})
        producer = Producer(settings)
        if transaction:
            producer.init_transactions(30)
            producer.begin_transaction()
        for value in values:
            producer.produce(topic, value=value, partition=partition, **more)
        assert producer.flush(30) == 0
        if transaction:
            (producer.abort_transaction if aborts else producer.commit_transaction)(30)


@contextmanager
def kafka(folder: Path) -> Generator[Broker, None, None]:
    """A broker for as long as the block runs; its log is `folder/kafka.log`."""
    jars = fetched(POM, "kafka", "Kafka")
    plain, sasl, controller = free_port(), free_port(), free_port()
    properties = folder / "server.properties"
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_reader="{PASSWORD}";'
    properties.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={login}
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
auto.create.topics.enable=false
""")
    java = [*_JAVA, f"{jars}/*"]
    log = folder / "kafka.log"
    with log.open("ab") as output:
        made = [*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(properties)]
        subprocess.run(made, check=True, stdout=output, stderr=output, timeout=60)
        process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=output, stderr=output, cwd=folder)
    try:
        wait_for(process, plain, log, "Kafka", START_SECONDS)
        yield Broker(f"127.0.0.1:{plain}", f"127.0.0.1:{sasl}")
    finally:
        process.kill()
        process.wait(timeout=20)
        shutil.rmtree(folder / "data", ignore_errors=True)
