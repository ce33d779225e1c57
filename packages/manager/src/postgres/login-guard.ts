import { FrameFault } from "./frame-fault.ts";

/** How the methods of authentication are called that the manager does not speak. */
const UNSUPPORTED_METHODS: ReadonlyMap<number, string> = new Map([
  [2, "Kerberos V5"],
  [6, "SCM credentials"],
  [7, "GSSAPI"],
  [8, "GSSAPI (continued)"],
  [9, "SSPI"],
]);

/** Codes of authentication requests. */
const AuthenticationRequest = {
  Ok: 0,
  CleartextPassword: 3,
  Md5Password: 5,
  Sasl: 10,
  SaslContinue: 11,
  SaslFinal: 12,
} as const;

/** Whether the body of an authentication request is well formed. @throws FrameFault for unknown methods */
export function isAuthentication(body: Buffer): boolean {
  if (body.length < 4) {
    return false;
  }
  const code = body.readInt32BE(0);
  switch (code) {
    case AuthenticationRequest.Ok:
    case AuthenticationRequest.CleartextPassword:
      return body.length === 4;
    case AuthenticationRequest.Md5Password:
      return body.length === 8;
    case AuthenticationRequest.Sasl:
      return body.length > 5 && body.at(-1) === 0 && body.at(-2) === 0;
    case AuthenticationRequest.SaslContinue:
    case AuthenticationRequest.SaslFinal:
      return true;
    default:
      throw new FrameFault(
        "authentication",
        `it asks for authentication by ${UNSUPPORTED_METHODS.get(code) ?? "an unknown method"} ` +
          `(code ${code}), which the manager does not speak`,
      );
  }
}

const SCRAM_PLUS = "SCRAM-SHA-256-PLUS";

/**
 * Watches the login where it has to be bound to the server's certificate. `pg` binds it if the server
 * offers to, and is content if not.
 */
export class LoginGuard {
  readonly #mustBind: boolean;
  #isProved = false;

  constructor({ mustBind }: { readonly mustBind: boolean }) {
    this.#mustBind = mustBind;
  }

  /** Takes a well-formed authentication request. @throws FrameFault */
  check(body: Buffer): void {
    if (!this.#mustBind) {
      return;
    }
    const code = body.readInt32BE(0);
    switch (code) {
      case AuthenticationRequest.Sasl:
        if (!body.toString("latin1", 4).split("\0").includes(SCRAM_PLUS)) {
          throw notBound(`the server does not offer ${SCRAM_PLUS}`);
        }
        return;
      case AuthenticationRequest.SaslContinue:
        return;
      case AuthenticationRequest.SaslFinal:
        this.#isProved = true;
        return;
      default:
        if (!this.#isProved) {
          throw notBound("the server wants no SCRAM");
        }
    }
  }
}

function notBound(why: string): FrameFault {
  return new FrameFault("authentication", `channel_binding is "require", but ${why}`);
}
