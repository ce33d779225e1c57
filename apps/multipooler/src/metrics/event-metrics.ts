import type { Counter, Histogram, Meter } from "@opentelemetry/api";
import type { PoolerEvent } from "@multipooler/poolerserver";

/** Bounds of the buckets, in seconds, as Multigres' pooler has them. */
const SETUP_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const DRAIN_BOUNDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60];
const LOOKUP_BOUNDS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const TRANSACTION_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];
const GAP_BOUNDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60];

/** All connections are of one kind: reservations use those of the pool. */
const POOL = { pool_type: "regular" } as const;

/** Counts what seldom happens in a pooler; `role` is "primary" or "replica". */
export function eventCounter(meter: Meter, role: () => string): (event: PoolerEvent) => void {
  const make = new Instruments(meter);
  const dials = dialInstruments(make);
  const serving = servingInstruments(make);
  const listener = listenerInstruments(make);
  return (event) => {
    switch (event.type) {
      case "connectionOpened":
        dials.opened.add(1, POOL);
        dials.setup.record(event.durationMs / 1000, POOL);
        return;
      case "connectionFailed":
        dials.errors.add(1, { ...POOL, reason: event.isTimeout ? "timeout" : "error" });
        return;
      case "drained": {
        const attributes = { routing_role: event.role.toLowerCase() };
        const outcome = event.cut === 0 ? "graceful" : "force_close";
        serving.drains.record(event.durationMs / 1000, attributes);
        serving.outcomes.add(1, { ...attributes, outcome });
        serving.cut.add(event.cut, attributes);
        return;
      }
      case "credentialsRead":
        serving.lookups.record(event.durationMs / 1000, { routing_role: role() });
        if (event.problem !== undefined) {
          serving.lookupErrors.add(1, { routing_role: role(), error_type: event.problem });
        }
        return;
      case "transactionEnded":
        serving.transactions.add(1, { outcome: event.outcome });
        serving.transactionTimes.record(event.durationMs / 1000, { outcome: event.outcome });
        return;
      case "listenerLost":
        listener.reconnects.add(1);
        return;
      case "listenerRestored":
        listener.gaps.record(event.gapMs / 1000);
        return;
      case "notificationsDropped":
        listener.dropped.add(event.count);
    }
  };
}

class Instruments {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  counter(name: string, description: string): Counter {
    return this.#meter.createCounter(name, { description });
  }

  /** Durations in seconds. */
  seconds(name: string, description: string, bounds: number[]): Histogram {
    const advice = { explicitBucketBoundaries: bounds };
    return this.#meter.createHistogram(name, { description, unit: "s", advice });
  }
}

function dialInstruments(make: Instruments) {
  const name = "mg.pooler.server_conn";
  return {
    opened: make.counter(`${name}.opened`, "Connections that were opened."),
    errors: make.counter(`${name}.open_errors`, "Those that could not be."),
    setup: make.seconds(`${name}.setup.duration`, "How long that took.", SETUP_BOUNDS),
  };
}

function servingInstruments(make: Instruments) {
  const drain = "mg.pooler.drain";
  const lookup = "mg.pooler.auth.credential_query";
  const transaction = "mg.pooler.txn";
  const lookups = "How long it took to read the credentials of a login.";
  const times = "How long transactions of reserved connections took.";
  return {
    drains: make.seconds(`${drain}.duration`, "How long drains took.", DRAIN_BOUNDS),
    outcomes: make.counter(`${drain}.outcome`, "Drains by what they came to."),
    cut: make.counter(`${drain}.force_closed`, "What was cut at the end of their grace."),
    lookups: make.seconds(`${lookup}.duration`, lookups, LOOKUP_BOUNDS),
    lookupErrors: make.counter(`${lookup}.errors`, "Logins without credentials, by the reason."),
    transactions: make.counter(`${transaction}.outcomes`, "Those transactions by their outcome."),
    transactionTimes: make.seconds(`${transaction}.duration`, times, TRANSACTION_BOUNDS),
  };
}

function listenerInstruments(make: Instruments) {
  const gaps = "How long nothing listened after such a loss.";
  const dropped = "Notifications that a listener was too slow for.";
  return {
    reconnects: make.counter("mg.pubsub.reconnects", "Losses of the connection that listens."),
    gaps: make.seconds("mg.pubsub.reconnect.gap_duration", gaps, GAP_BOUNDS),
    dropped: make.counter("mg.pubsub.notifications.dropped", dropped),
  };
}
