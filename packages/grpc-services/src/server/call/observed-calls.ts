import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

/** A call as it arrives. */
export interface ObservedCall {
  /** "service/Method", as the client says it: there may be no such method. */
  readonly method: string;
  /** W3C's trace context, as the client sends it. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/**
 * Gets each call when it arrives. What it returns is called once when the call is over, with the number of
 * its gRPC status; `undefined`: the client has gone without one. Must not throw, and not take long.
 */
export type CallObserver = (call: ObservedCall) => (status: number | undefined) => void;

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Puts an observer in front of what answers the streams of HTTP/2. */
export function observeCalls(onStream: OnStream, observe: CallObserver): OnStream {
  return (stream, headers) => {
    const { ":path": path = "", traceparent, tracestate } = headers;
    const onEnd = observe({
      method: path.slice(1),
      traceparent: textOf(traceparent),
      tracestate: textOf(tracestate),
    });
    stream.once("close", () => onEnd(statusOf(stream)));
    onStream(stream, headers);
  };
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.join(",");
}

/** It is in the trailers, or in the headers where there is no message. */
function statusOf({ sentTrailers, sentHeaders }: ServerHttp2Stream): number | undefined {
  const status = sentTrailers?.["grpc-status"] ?? sentHeaders["grpc-status"];
  return status === undefined ? undefined : Number(status);
}
