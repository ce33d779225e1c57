import { ANSWER_TIME_BOUNDS_MS } from "@multipooler/poolerserver";
import type { Administration } from "@multipooler/poolerserver";
import { ValueType } from "@opentelemetry/api";
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

/**
 * How long queries took, as the connections have counted it: a histogram that is read when somebody asks.
 * OpenTelemetry's own has to be told each value.
 */
export class QueryTimes implements MetricProducer {
  readonly #startedAtMs = Date.now();
  #administration: Pick<Administration, "databases"> | undefined;

  /** Reads from here from now on. */
  report(administration: Pick<Administration, "databases">): void {
    this.#administration = administration;
  }

  collect(): Promise<CollectionResult> {
    const scope = { name: "multipooler", version: buildVersion.version };
    return Promise.resolve({
      resourceMetrics: {
        resource: resourceFromAttributes({}),
        scopeMetrics: [{ scope, metrics: [this.#metric()] }],
      },
      errors: [],
    });
  }

  #metric(): MetricData {
    const startTime = hrTime(this.#startedAtMs);
    const endTime = hrTime(Date.now());
    const databases = this.#administration?.databases() ?? [];
    return {
      descriptor: {
        name: "mg.pooler.query.duration",
        description: "How long PostgreSQL took for requests.",
        unit: "s",
        valueType: ValueType.DOUBLE,
      },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: databases.map(({ name, totals }): DataPoint<Histogram> => ({
        startTime,
        endTime,
        attributes: { database: name, pool_type: "regular" },
        value: {
          buckets: { boundaries: BOUNDS_SECONDS, counts: [...totals.answerTimes] },
          sum: totals.busyMs / 1000,
          count: totals.answerTimes.reduce((sum, count) => sum + count, 0),
        },
      })),
    };
  }
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
