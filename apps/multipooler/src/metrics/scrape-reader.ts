import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { AggregationTemporality, InstrumentType, MetricReader } from "@opentelemetry/sdk-metrics";
import type { MetricData, MetricProducer, ResourceMetrics } from "@opentelemetry/sdk-metrics";

const TOTAL = /[._]total$/;
/** What the name of a metric ends with, by its unit. */
const UNIT_SUFFIXES: ReadonlyMap<string, string> = new Map([
  ["s", "seconds"],
  ["ms", "milliseconds"],
  ["By", "bytes"],
]);

/** Collects the metrics when Prometheus asks for them, and writes them as it reads them. */
export class ScrapeReader extends MetricReader {
  readonly #serializer = new PrometheusSerializer("", false, undefined, true, true);

  /** @param metricProducers what is read beside the instruments */
  constructor(metricProducers: MetricProducer[]) {
    super({
      metricProducers,
      // A cumulative gauge would go on with what was seen once, such as a user who has left.
      aggregationTemporalitySelector: (type) =>
        type === InstrumentType.OBSERVABLE_GAUGE
          ? AggregationTemporality.DELTA
          : AggregationTemporality.CUMULATIVE,
    });
  }

  /** The text of one scrape. Rejects when something could not be collected. */
  async scrape(): Promise<string> {
    const { resourceMetrics, errors } = await this.collect();
    if (errors.length > 0) {
      throw new AggregateError(errors, "some metrics could not be collected");
    }
    return this.#serializer.serialize(named(resourceMetrics));
  }

  protected override async onForceFlush(): Promise<void> {
    // Nothing is kept until a scrape.
  }

  protected override async onShutdown(): Promise<void> {
    // Nothing is kept until a scrape.
  }
}

/**
 * Gives the metrics the names that Multigres' pooler exports them by: with the unit behind the name,
 * and "total" last, which the serializer adds itself.
 */
function named({ scopeMetrics, ...rest }: ResourceMetrics): ResourceMetrics {
  return {
    ...rest,
    scopeMetrics: scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map(nameOne),
    })),
  };
}

function nameOne(metric: MetricData): MetricData {
  const { descriptor } = metric;
  const suffix = UNIT_SUFFIXES.get(descriptor.unit);
  const base = descriptor.name.replace(TOTAL, "");
  const name = suffix === undefined ? descriptor.name : `${base}_${suffix}`;
  return { ...metric, descriptor: { ...descriptor, name, unit: suffix ?? "" } };
}
