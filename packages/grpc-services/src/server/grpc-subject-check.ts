import { X509Certificate } from "node:crypto";
import {
  Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
} from "@grpc/grpc-js";
import type { ServerInterceptingCallInterface, ServerInterceptor } from "@grpc/grpc-js";
import { subjectText } from "@multipooler/tls";

/**
 * Answers UNAUTHENTICATED to calls of clients whose certificate's subject holds none of `allowed`, as
 * Multigres' servers do. The certificate was verified when the connection was made.
 *
 * What it says is read once a connection: grpc-js parses the certificate each time that it is asked.
 */
export function checkSubjects(allowed: readonly string[]): ServerInterceptor {
  const verdicts = new WeakMap<object, boolean>();
  const isAllowed = (call: ServerInterceptingCallInterface): boolean => {
    const session = sessionOf(call);
    const known = session && verdicts.get(session);
    if (known !== undefined) {
      return known;
    }
    const subject = subjectOf(call);
    const verdict = subject !== undefined && allowed.some((part) => subject.includes(part));
    if (session !== undefined) {
      verdicts.set(session, verdict);
    }
    return verdict;
  };
  return (_method, call) => {
    if (isAllowed(call)) {
      return new ServerInterceptingCall(call);
    }
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata(() => call.sendStatus(UNAUTHENTICATED))
      .build();
    const responder = new ResponderBuilder().withStart((next) => next(listener)).build();
    return new ServerInterceptingCall(call, responder);
  };
}

const UNAUTHENTICATED = {
  code: status.UNAUTHENTICATED,
  details: "the certificate of the client is not one of those that are allowed",
  metadata: new Metadata(),
};

/** The HTTP/2 connection of a call, which grpc-js keeps in a property of it. */
function sessionOf(call: ServerInterceptingCallInterface): object | undefined {
  const stream: unknown = Reflect.get(call, "stream");
  if (typeof stream !== "object" || stream === null || !("session" in stream)) {
    return undefined;
  }
  const { session } = stream;
  return typeof session === "object" && session !== null ? session : undefined;
}

function subjectOf(call: ServerInterceptingCallInterface): string | undefined {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  return raw === undefined ? undefined : subjectText(new X509Certificate(raw));
}
