import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Context } from "@opentelemetry/api";
import { TraceState, parseTraceParent } from "@opentelemetry/core";

/** The context of a caller's trace, as W3C writes it; a new one where there is none, or none that can be. */
export function contextOf(
  traceparent: string | undefined,
  tracestate: string | undefined,
): Context {
  const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
  if (parent === null) {
    return ROOT_CONTEXT;
  }
  const state = tracestate === undefined ? {} : { traceState: new TraceState(tracestate) };
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, ...state, isRemote: true });
}
