import { randomBytes } from "node:crypto";
import {
  encodeSaslContinue,
  encodeSaslFinal,
  encodeSaslMechanisms,
  mockScramVerifier,
  parseSaslInitialResponse,
  parseScramVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramServer,
} from "@multipooler/pgwire";
import type { ScramMechanism, ScramVerifier } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { LoginCredentials, ScramKeys } from "@multipooler/query-service";
import type { LoginDialogue } from "./login-dialogue.ts";
import { isPoolerError, Refusal } from "./refusal.ts";

const NONCE_BYTES = 18;

/** Of this process: the same name gets the same salt while it runs. */
const MOCK_SECRET = randomBytes(32);

/** Looks up the role that a client names. Rejects as `QueryService.getCredentials` does. */
export type CredentialLookup = (user: string) => Promise<LoginCredentials | undefined>;

/** A verifier to check a password with, and why it cannot be passed if that is so. */
interface Candidate {
  readonly verifier: ScramVerifier;
  readonly problem: string | undefined;
}

/** A client has proved its password. */
export interface ProvedPassword {
  /** By them the pooler can log in to PostgreSQL as that client. */
  readonly keys: ScramKeys;
  /** Is to be sent ahead of AuthenticationOk. */
  readonly lastMessage: Uint8Array;
}

/**
 * Has a client prove its password with SCRAM-SHA-256.
 *
 * Rejects with a {@link Refusal} that is the same for a wrong password, a role that does not exist
 * and one that may not log in.
 */
export async function checkPassword(
  dialogue: LoginDialogue,
  user: string,
  lookup: CredentialLookup,
): Promise<ProvedPassword> {
  const { verifier, problem } = await candidateOf(user, lookup);
  const { channelBinding } = dialogue;
  const mechanisms: readonly ScramMechanism[] =
    channelBinding === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  dialogue.write(encodeSaslMechanisms(mechanisms));
  const initial = parseSaslInitialResponse(await dialogue.passwordMessage());
  const mechanism = requireMechanism(initial.mechanism, mechanisms);
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  const scram = new ScramServer({ verifier, mechanism, channelBinding, nonce });
  dialogue.write(encodeSaslContinue(scram.firstMessage(initial.response)));
  const final = await dialogue.passwordMessage();
  const proof = scram.finalMessage(final.toString());
  if (proof === undefined) {
    throw new Refusal("28P01", `password authentication failed for user "${user}"`, {
      reason: problem ?? `user "${user}" gave a wrong password`,
    });
  }
  return { keys: proof.keys, lastMessage: encodeSaslFinal(proof.message) };
}

/**
 * Checks that a role that is trusted exists and may log in.
 *
 * Rejects with a {@link Refusal}, or as the lookup does.
 */
export async function checkRole(user: string, lookup: CredentialLookup): Promise<void> {
  if ((await lookup(user)) === undefined) {
    throw new Refusal("28000", `role "${user}" does not exist`);
  }
}

async function candidateOf(user: string, lookup: CredentialLookup): Promise<Candidate> {
  const doomed = (problem: string): Candidate => ({
    verifier: mockScramVerifier(user, MOCK_SECRET),
    problem,
  });
  try {
    const credentials = await lookup(user);
    if (credentials === undefined) {
      return doomed(`role "${user}" does not exist`);
    }
    const verifier = parseScramVerifier(credentials.scramVerifier ?? "");
    return verifier === undefined
      ? doomed(`role "${user}" has no password of SCRAM-SHA-256`)
      : { verifier, problem: undefined };
  } catch (error) {
    if (isPoolerError(error) && error.code === PoolerErrorCode.AuthenticationFailed) {
      return doomed(error.message);
    }
    throw error;
  }
}

function requireMechanism(name: string, offered: readonly ScramMechanism[]): ScramMechanism {
  const mechanism = offered.find((each) => each === name);
  if (mechanism !== undefined) {
    return mechanism;
  }
  throw new Refusal("08P01", "client selected an invalid SASL authentication mechanism");
}
