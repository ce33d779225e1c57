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

/** Values of one kind, as somebody has counted them since the process started. */
export interface CountedValues {
  readonly attributes: Attributes;
  /** One number for each bound, not added up, and one for what is above all. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A histogram that is read when somebody asks for it. */
export interface CountedHistogram {
  /** As Multigres' pooler has it. */
  readonly name: string;
  readonly description: string;
  readonly unit: "s" | "{row}";
  /** Upper bounds of the buckets. */
  readonly bounds: readonly number[];
  readonly read: () => readonly CountedValues[];
}

/**
 * Histograms of what is counted anyway, read whenever the metrics are collected. OpenTelemetry's own have
 * to be told each value.
 */
export class CountedHistograms implements MetricProducer {
  readonly #startedAtMs = Date.now();
  readonly #histograms: CountedHistogram[] = [];

  /** Has them read from now on. */
  report(histograms: readonly CountedHistogram[]): void {
    this.#histograms.push(...histograms);
  }

  collect(): Promise<CollectionResult> {
    const scope = { name: "multipooler", version: buildVersion.version };
    return Promise.resolve({
      resourceMetrics: {
        resource: resourceFromAttributes({}),
        scopeMetrics: [{ scope, metrics: this.#histograms.map((one) => this.#metric(one)) }],
      },
      errors: [],
    });
  }

  #metric({ name, description, unit, bounds, read }: CountedHistogram): MetricData {
    const startTime = hrTime(this.#startedAtMs);
    const endTime = hrTime(Date.now());
    return {
      descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: read().map(({ attributes, counts, sum }): DataPoint<Histogram> => ({
        startTime,
        endTime,
        attributes,
        value: {
          buckets: { boundaries: [...bounds], counts: [...counts] },
          sum,
          count: counts.reduce((total, count) => total + count, 0),
        },
      })),
    };
  }
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
