"""How a Kafka source fares: its condition, in a sentence with its mend, and the troubles that have made it so."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.model import Condition
from headrace.plugins import Opening
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.troubles import Troubles
from headrace_connectors.kafka.watching import Watch


class Faring:
    """*lanes* are the partitions that have one: these fare as the source, but for troubles of their own.

    *watch* has what the connections said last.
    """

    def __init__(self, opening: Opening, connection: KafkaSettings, watch: Watch, lanes: Iterable[Partition]) -> None:
        self._log, self._clock = opening.log, opening.clock
        self._connection, self._watch, self._lanes = connection, watch, lanes
        self._failing_since: float | None = None
        self._troubles = Troubles(self._tell)
        self.condition = Condition("connecting", since=self._clock.wall())

    def words(self, error: Exception) -> str:
        """What it means, without secrets."""
        return sentence(error, self._connection, self._watch.last)

    def is_now(self, state: str, reason: str = "") -> None:
        if (self.condition.state, self.condition.reason) != (state, reason):
            self.condition = Condition(state, reason, self._clock.wall())

    def says(self, who: str, trouble: str | Exception) -> None:
        """As `Troubles.says`."""
        self._troubles.says(who, self.words(trouble) if isinstance(trouble, Exception) else trouble)

    def polling(self, error: Exception | None) -> None:
        """The last poll succeeded, or why it did not."""
        self._failing_since = None if error is None else self._failing_since or self._clock.boot()
        self.says("polls", error or "")

    @property
    def failing(self) -> float:
        """Seconds for which no poll has succeeded."""
        return 0.0 if self._failing_since is None else self._clock.boot() - self._failing_since

    def _tell(self, trouble: str) -> None:
        if trouble:
            self._log.warning("source.unavailable", error=trouble)
        state = "unavailable" if trouble else "polling"
        self.is_now(state, trouble)
        for partition in self._lanes:
            if partition.condition.state in {"polling", "unavailable"}:
                partition.set_condition(state, trouble)
