import { ANSWER_TIME_BOUNDS_MS } from "@multipooler/poolerserver";
import type { Administration, DatabaseUser } from "@multipooler/poolerserver";
import { ValueType } from "@opentelemetry/api";
import type { Attributes } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";
import type {
  CollectionResult,
  DataPoint,
  Histogram,
  MetricData,
  MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { buildVersion } from "../version.ts";

const BOUNDS_SECONDS = ANSWER_TIME_BOUNDS_MS.map((ms) => ms / 1000);

/** Durations of one kind. */
interface Durations {
  readonly attributes: Attributes;
  /** By `ANSWER_TIME_BOUNDS_MS`. */
  readonly times: readonly number[];
  readonly totalMs: number;
}

interface TimesMetric {
  readonly name: string;
  readonly description: string;
  readonly read: (users: readonly DatabaseUser[]) => readonly Durations[];
}

const METRICS: readonly TimesMetric[] = [
  {
    name: "mg.pooler.query.duration",
    description: "How long PostgreSQL took for requests.",
    read: (users) => users.map(executionOf),
  },
  {
    name: "mg.pooler.query.pool_acquire.duration",
    description: "How long requests waited for a connection, by what came of it.",
    read: (users) => users.flatMap(waitsOf),
  },
];

/**
 * How long the requests of each user took in each database, and waited for a connection: histograms that
 * are read when somebody asks, as the pools have counted them. OpenTelemetry's own has to be told each
 * value.
 */
export class UserTimes implements MetricProducer {
  readonly #startedAtMs = Date.now();
  #administration: Pick<Administration, "users"> | undefined;

  /** Reads from here from now on. */
  report(administration: Pick<Administration, "users">): void {
    this.#administration = administration;
  }

  collect(): Promise<CollectionResult> {
    const scope = { name: "multipooler", version: buildVersion.version };
    const users = this.#administration?.users() ?? [];
    return Promise.resolve({
      resourceMetrics: {
        resource: resourceFromAttributes({}),
        scopeMetrics: [{ scope, metrics: METRICS.map((one) => this.#metric(one, users)) }],
      },
      errors: [],
    });
  }

  #metric({ name, description, read }: TimesMetric, users: readonly DatabaseUser[]): MetricData {
    const startTime = hrTime(this.#startedAtMs);
    const endTime = hrTime(Date.now());
    return {
      descriptor: { name, description, unit: "s", valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: read(users).map(({ attributes, times, totalMs }): DataPoint<Histogram> => ({
        startTime,
        endTime,
        attributes,
        value: {
          buckets: { boundaries: BOUNDS_SECONDS, counts: [...times] },
          sum: totalMs / 1000,
          count: times.reduce((sum, count) => sum + count, 0),
        },
      })),
    };
  }
}

function executionOf(one: DatabaseUser): Durations {
  const { answerTimes: times, busyMs: totalMs } = one.connections;
  return { attributes: attributesOf(one), times, totalMs };
}

/** Outcomes as Multigres has them. */
function waitsOf(one: DatabaseUser): readonly Durations[] {
  const attributes = attributesOf(one);
  return [
    { ...one.waits, attributes: { ...attributes, outcome: "acquired" } },
    { ...one.expired, attributes: { ...attributes, outcome: "timeout" } },
  ];
}

function attributesOf({ database, user }: DatabaseUser): Attributes {
  return { database, user, pool_type: "regular" };
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
