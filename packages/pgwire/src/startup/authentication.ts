import { randomBytes } from "node:crypto";
import { MessageBody } from "@multipooler/query-service";
import type { Credential } from "../connection/connect-options.ts";
import { PgwireError, PgwireErrorCode, protocolViolation } from "../error.ts";
import { encodeSaslInitialResponse, encodeSaslResponse } from "../messages/message-writer.ts";
import { BackendMessage } from "../messages/protocol.ts";
import { allowUnbound, chooseBinding, unsupportedMethod } from "./channel-binding.ts";
import { ScramClient } from "./scram.ts";
import type { ScramSecret } from "./scram.ts";
import { unexpectedInStartup } from "./startup-stream.ts";
import type { StartupMessage, StartupStream } from "./startup-stream.ts";
import type { SessionRequest } from "./startup.ts";

const AuthenticationRequest = {
  Ok: 0,
  Sasl: 10,
  SaslContinue: 11,
  SaslFinal: 12,
} as const;

/** PostgreSQL's names of the methods that are not offered here. */
const METHOD_NAMES = new Map([
  [2, "Kerberos V5"],
  [3, "cleartext password"],
  [5, "MD5 password"],
  [6, "SCM credentials"],
  [7, "GSSAPI"],
  [8, "GSSAPI (continued)"],
  [9, "SSPI"],
]);

const NONCE_BYTES = 24;

/** Answers the server's `request` and what follows, up to AuthenticationOk. */
export async function authenticate(
  stream: StartupStream,
  session: SessionRequest,
  request: StartupMessage,
): Promise<void> {
  const { type, content } = parseRequest(request);
  switch (type) {
    case AuthenticationRequest.Ok:
      content.end();
      allowUnbound(session.channelBinding);
      return;
    case AuthenticationRequest.Sasl:
      await authenticateWithScram(stream, session, readMechanisms(content));
      return;
    case AuthenticationRequest.SaslContinue:
    case AuthenticationRequest.SaslFinal:
      throw protocolViolation(`authentication request ${type} came before SASL began`);
    default:
      throw unsupportedMethod(METHOD_NAMES.get(type) ?? `method ${type}`);
  }
}

async function authenticateWithScram(
  stream: StartupStream,
  session: SessionRequest,
  mechanisms: readonly string[],
): Promise<void> {
  const { user, channelBinding } = session;
  const binding = chooseBinding(channelBinding, mechanisms);
  const secret = scramSecret(user, await askCredential(session));
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  const scram = new ScramClient({ user, secret, binding, nonce });
  stream.socket.write(encodeSaslInitialResponse(scram.mechanism, scram.firstMessage()));
  const serverFirst = await expectRequest(stream, AuthenticationRequest.SaslContinue);
  stream.socket.write(encodeSaslResponse(await scram.finalMessage(serverFirst.rest().toString())));
  const serverFinal = await expectRequest(stream, AuthenticationRequest.SaslFinal);
  scram.verify(serverFinal.rest().toString());
  const ok = await expectRequest(stream, AuthenticationRequest.Ok);
  ok.end();
}

async function askCredential({ user, credential }: SessionRequest): Promise<Credential> {
  try {
    return (await credential?.()) ?? { type: "none" };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgwireError(
      PgwireErrorCode.ConnectFailed,
      `the credential of user "${user}" could not be looked up: ${reason}`,
      { cause },
    );
  }
}

function scramSecret(user: string, credential: Credential): ScramSecret {
  if (credential.type === "scramKeys") {
    return credential;
  }
  if (credential.type === "password" && credential.password !== "") {
    return credential;
  }
  throw new PgwireError(
    PgwireErrorCode.AuthenticationFailed,
    `authentication failed: the server asks for a password of user "${user}" and none is configured`,
  );
}

function readMechanisms(content: MessageBody): readonly string[] {
  const mechanisms: string[] = [];
  for (let name = content.string(); name !== ""; name = content.string()) {
    mechanisms.push(name);
  }
  content.end();
  return mechanisms;
}

async function expectRequest(stream: StartupStream, expected: number): Promise<MessageBody> {
  const { type, content } = parseRequest(await stream.receive());
  if (type !== expected) {
    throw protocolViolation(`authentication request ${type} came in place of ${expected}`);
  }
  return content;
}

function parseRequest(message: StartupMessage): { type: number; content: MessageBody } {
  if (message.code !== BackendMessage.Authentication) {
    throw unexpectedInStartup(message.code);
  }
  const content = new MessageBody({ body: message.body, message: "an authentication request" });
  return { type: content.int32(), content };
}
