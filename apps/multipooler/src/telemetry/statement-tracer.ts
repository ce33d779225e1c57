import type { StatementObserver } from "@multipooler/poolerserver";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Tracer } from "@opentelemetry/api";
import { contextOf } from "./trace-context.ts";

/** As long as a comment of sqlcommenter is looked for, from the end of the text. */
const COMMENT_LENGTH = 500;
const TRACEPARENT = /traceparent='([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})'/;

/**
 * Makes a span of each statement of a session, in the trace that a comment of sqlcommenter at its end
 * names, else one of its own. The text is not part of it.
 */
export function statementTracer(tracer: Tracer): StatementObserver {
  return ({ database, user, text }) => {
    const span = tracer.startSpan(
      "statement",
      {
        kind: SpanKind.SERVER,
        attributes: { "db.system": "postgresql", "db.namespace": database, "db.user": user },
      },
      contextOf(traceparentIn(text), undefined),
    );
    if (!span.isRecording()) {
      return undefined;
    }
    return (sqlstate) => {
      if (sqlstate !== undefined) {
        span.setAttribute("db.response.status_code", sqlstate);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    };
  };
}

/** Costs little where there is no comment: the text is not searched, but its end. */
export function traceparentIn(text: string): string | undefined {
  return text.endsWith("*/") || text.endsWith("*/;")
    ? TRACEPARENT.exec(text.slice(-COMMENT_LENGTH))?.[1]
    : undefined;
}
