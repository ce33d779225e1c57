import { LimitedLogger } from "@multipooler/logging";
import { loggingErrorHandler, setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  InstrumentType,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { MetricProducer } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import { buildVersion } from "../version.ts";
import { callTracer } from "./call-tracer.ts";
import { statementTracer } from "./statement-tracer.ts";
import type { Telemetry, TelemetryConfig } from "./telemetry.ts";

/** Less than a stop may take, so that a collector that hangs does not hold one up. */
const EXPORT_TIMEOUT_MS = 3000;

type OtlpConfig = TelemetryConfig & { readonly otlpEndpoint: string };

/** Sends metrics and spans with OTLP over HTTP, in protobuf. */
export function otlpTelemetry(config: OtlpConfig, logger: Logger): Telemetry {
  const faults = new LimitedLogger(logger);
  // A collector that is away is one line a minute.
  setGlobalErrorHandler((error) => {
    faults.warn({ err: toError(error) }, "telemetry could not be sent");
  });
  const tracers =
    config.otlpTraces === "off" ? undefined : bySettings(() => tracerProvider(config));
  const tracer = tracers?.getTracer("multipooler", buildVersion.version);
  return {
    resource: telemetryResource(config),
    metricReader:
      config.otlpMetricsIntervalMs === 0
        ? undefined
        : (producers) => bySettings(() => metricReader(config, producers)),
    observeCall: tracer && callTracer(tracer),
    observeStatement: tracer && statementTracer(tracer),
    async [Symbol.asyncDispose]() {
      await tracers?.shutdown();
      faults.flush();
      setGlobalErrorHandler(loggingErrorHandler());
    },
  };
}

/**
 * OpenTelemetry's own code reads variables when its objects are made, and would add headers, compression and
 * samplers to what the settings say. It finds none here.
 */
function bySettings<T>(make: () => T): T {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith("OTEL_"));
  for (const [name] of given) {
    Reflect.deleteProperty(process.env, name);
  }
  try {
    return make();
  } finally {
    Object.assign(process.env, Object.fromEntries(given));
  }
}

function telemetryResource({ cell, serviceId }: TelemetryConfig): Resource {
  return resourceFromAttributes({
    "service.name": "multipooler",
    "service.version": buildVersion.version,
    ...(serviceId === undefined ? {} : { "service.instance.id": `${cell}/${serviceId}` }),
  });
}

function metricReader(
  config: OtlpConfig,
  metricProducers: MetricProducer[],
): PeriodicExportingMetricReader {
  const interval = config.otlpMetricsIntervalMs;
  return new PeriodicExportingMetricReader({
    exporter: new CurrentGauges(exporterOptions(config, "metrics")),
    metricProducers,
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(EXPORT_TIMEOUT_MS, interval),
  });
}

/** A cumulative gauge would go on with what was seen once, such as a user who has left. */
class CurrentGauges extends OTLPMetricExporter {
  override selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    return type === InstrumentType.OBSERVABLE_GAUGE
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
  }
}

function tracerProvider(config: OtlpConfig): TracerProvider {
  const root =
    config.otlpTraces === "all"
      ? new TraceIdRatioBasedSampler(config.otlpTracesRatio)
      : new AlwaysOffSampler();
  const exporter = new OTLPTraceExporter(exporterOptions(config, "traces"));
  return new TracerProvider({
    resource: telemetryResource(config),
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT_MS })],
  });
}

function exporterOptions(
  { otlpEndpoint, otlpHeaders }: OtlpConfig,
  signal: "metrics" | "traces",
): { url: string; headers: Record<string, string>; timeoutMillis: number } {
  return {
    url: `${otlpEndpoint.replace(/\/+$/, "")}/v1/${signal}`,
    headers: { ...otlpHeaders },
    timeoutMillis: EXPORT_TIMEOUT_MS,
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
