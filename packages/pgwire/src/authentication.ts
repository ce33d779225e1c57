import { randomBytes } from "node:crypto";
import { BodyReader } from "./body-reader.ts";
import { PgwireError, PgwireErrorCode, protocolViolation } from "./error.ts";
import type { FramedSocket } from "./framed-socket.ts";
import { encodeSaslInitialResponse, encodeSaslResponse } from "./message-writer.ts";
import { BackendMessage } from "./protocol.ts";
import { SCRAM_SHA_256, ScramClient } from "./scram.ts";
import { receiveStartupMessage, unexpectedInStartup } from "./startup-message.ts";
import type { StartupMessage } from "./startup-message.ts";

const AuthenticationRequest = {
  Ok: 0,
  Sasl: 10,
  SaslContinue: 11,
  SaslFinal: 12,
} as const;

/** What PostgreSQL calls the methods that are not offered here. */
const METHOD_NAMES = new Map([
  [2, "Kerberos V5"],
  [3, "cleartext password"],
  [5, "MD5 password"],
  [6, "SCM credentials"],
  [7, "GSSAPI"],
  [9, "SSPI"],
]);

const NONCE_BYTES = 24;

/** Who enters. `password` is asked once, if the server wants one. */
export interface Credentials {
  readonly user: string;
  readonly password?: (() => string | undefined) | undefined;
}

/** Answers the server's `request` and what follows, up to AuthenticationOk. */
export async function authenticate(
  socket: FramedSocket,
  credentials: Credentials,
  request: StartupMessage,
): Promise<void> {
  const { type, content } = parseRequest(request);
  switch (type) {
    case AuthenticationRequest.Ok:
      content.end();
      return;
    case AuthenticationRequest.Sasl:
      assertScramOffered(content);
      await authenticateWithScram(socket, credentials);
      return;
    default:
      throw unsupportedMethod(METHOD_NAMES.get(type) ?? `method ${type}`);
  }
}

async function authenticateWithScram(
  socket: FramedSocket,
  credentials: Credentials,
): Promise<void> {
  const password = credentials.password?.();
  if (password === undefined || password === "") {
    throw new PgwireError(
      PgwireErrorCode.AuthenticationFailed,
      `authentication failed: the server asks for a password of user "${credentials.user}" and none is configured`,
    );
  }
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  const scram = new ScramClient({ user: credentials.user, password, nonce });
  socket.write(encodeSaslInitialResponse(SCRAM_SHA_256, scram.firstMessage()));
  const serverFirst = await expectRequest(socket, AuthenticationRequest.SaslContinue);
  socket.write(encodeSaslResponse(await scram.finalMessage(serverFirst.rest().toString())));
  const serverFinal = await expectRequest(socket, AuthenticationRequest.SaslFinal);
  scram.verify(serverFinal.rest().toString());
  const ok = await expectRequest(socket, AuthenticationRequest.Ok);
  ok.end();
}

function assertScramOffered(content: BodyReader): void {
  const mechanisms: string[] = [];
  for (let name = content.string(); name !== ""; name = content.string()) {
    mechanisms.push(name);
  }
  content.end();
  if (!mechanisms.includes(SCRAM_SHA_256)) {
    throw unsupportedMethod(`SASL with ${mechanisms.join(", ")}`);
  }
}

async function expectRequest(socket: FramedSocket, expected: number): Promise<BodyReader> {
  const { type, content } = parseRequest(await receiveStartupMessage(socket));
  if (type !== expected) {
    throw protocolViolation(`authentication request ${type} came in place of ${expected}`);
  }
  return content;
}

function parseRequest(message: StartupMessage): { type: number; content: BodyReader } {
  if (message.code !== BackendMessage.Authentication) {
    throw unexpectedInStartup(message.code);
  }
  const content = new BodyReader({ body: message.body, message: "an authentication request" });
  return { type: content.int32(), content };
}

function unsupportedMethod(method: string): PgwireError {
  return new PgwireError(
    PgwireErrorCode.Unsupported,
    `the server asks for authentication by ${method}; only trust and ${SCRAM_SHA_256} are supported`,
  );
}
