import type { CallObserver } from "@multipooler/grpc-services";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Tracer } from "@opentelemetry/api";
import { contextOf } from "./trace-context.ts";

/** The status of a call whose client has gone. */
const CANCELLED = 1;
/** The statuses that tell of a fault of the server, by OpenTelemetry's conventions. */
const FAULTS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Makes a span of each call, in the trace of its caller if that has one. */
export function callTracer(tracer: Tracer): CallObserver {
  return ({ method, traceparent, tracestate }) => {
    const [service = "", name = ""] = method.split("/", 2);
    const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": name };
    const span = tracer.startSpan(
      method,
      { kind: SpanKind.SERVER, attributes },
      contextOf(traceparent, tracestate),
    );
    return (status = CANCELLED) => {
      span.setAttribute("rpc.grpc.status_code", status);
      if (FAULTS.has(status)) {
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    };
  };
}
