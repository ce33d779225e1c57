import * as z from "zod";
import { choice, duration, ratio, secretText, settingGroup } from "./setting.ts";
import type { Kind, Setting } from "./setting.ts";

const telemetry = settingGroup("Telemetry");

/** Which calls are traced: none, those whose caller traces them, or others too. */
const TRACED_CALLS = ["off", "parent", "all"] as const;

const endpoint: Kind<string> = {
  placeholder: "url",
  schema: z.string().refine((value) => isHttpUrl(value), {
    error: "must be a URL such as http://127.0.0.1:4318, without a query",
  }),
};

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.search === "" &&
    url.hash === ""
  );
}

/** "name=value" pairs as OpenTelemetry's variable has them: separated by commas, values URL-encoded. */
const headers: Kind<Readonly<Record<string, string>>> = {
  placeholder: "list",
  schema: secretText.schema.transform((text, context) => {
    const pairs = text.split(",").map((pair) => /^\s*([\w.-]+)\s*=\s*(.*?)\s*$/.exec(pair));
    const entries = pairs.map((pair) => [pair?.[1] ?? "", decoded(pair?.[2] ?? "")] as const);
    if (entries.some(([name, value]) => name === "" || value === undefined)) {
      context.addIssue("must be pairs such as authorization=Bearer%20abc, separated by commas");
      return z.NEVER;
    }
    return Object.fromEntries(entries.map(([name, value]) => [name, value ?? ""]));
  }),
};

function decoded(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text);
    return /\p{Cc}/u.test(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Where metrics and traces are sent. Nothing is, and no code for it is loaded, without an endpoint. */
export const telemetrySettings = {
  otlpEndpoint: telemetry.optional("otlp-endpoint", endpoint, {
    env: ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    help: "Collector of OpenTelemetry that takes OTLP over HTTP; /v1/metrics and /v1/traces are added.",
  }),
  otlpHeaders: telemetry.optional("otlp-headers", headers, {
    env: ["OTEL_EXPORTER_OTLP_HEADERS"],
    secret: true,
    help: "Headers for it, e.g. authorization=Bearer%20abc, separated by commas.",
  }),
  otlpMetricsIntervalMs: telemetry.required("otlp-metrics-interval", duration({ min: 0 }), {
    default: "60s",
    help: "How often metrics are sent to --otlp-endpoint; 0 sends none.",
  }),
  otlpTraces: telemetry.required("otlp-traces", choice(TRACED_CALLS), {
    default: "off",
    help:
      "What is traced to --otlp-endpoint of gRPC calls and of clients' statements: parent what has a sampled " +
      "traceparent, statements in a comment of sqlcommenter at their end; all also what has none.",
  }),
  otlpTracesRatio: telemetry.required("otlp-traces-ratio", ratio, {
    default: "1",
    help: "Part of what has no traceparent that is traced with --otlp-traces all.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
