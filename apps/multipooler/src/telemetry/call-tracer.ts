import type { CallObserver } from "@multipooler/grpc-services";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Context, Tracer } from "@opentelemetry/api";
import { TraceState, parseTraceParent } from "@opentelemetry/core";

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

function contextOf(traceparent: string | undefined, tracestate: string | undefined): Context {
  const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
  if (parent === null) {
    return ROOT_CONTEXT;
  }
  const state = tracestate === undefined ? {} : { traceState: new TraceState(tracestate) };
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, ...state, isRemote: true });
}
