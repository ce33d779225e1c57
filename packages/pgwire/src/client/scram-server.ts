import { timingSafeEqual } from "node:crypto";
import type { ScramKeys } from "@multipooler/query-service";
import {
  BINDING_TYPE,
  decodeBase64,
  hmac,
  KEY_BYTES,
  SCRAM_SHA_256_PLUS,
  storedKeyOf,
  xor,
} from "../startup/scram-keys.ts";
import type { ScramMechanism } from "../startup/scram-keys.ts";
import { clientFault } from "./client-fault.ts";
import type { ScramVerifier } from "./scram-verifier.ts";

export interface ScramServerOptions {
  readonly verifier: ScramVerifier;
  /** As the client chose it. */
  readonly mechanism: ScramMechanism;
  /** The hash of the server's certificate; `undefined` where channel binding is not offered. */
  readonly channelBinding: Buffer | undefined;
  /** Printable ASCII without a comma, from a secure source. */
  readonly nonce: string;
}

/** The end of an exchange. */
export interface ScramProof {
  /** The server's last message. */
  readonly message: string;
  /** What a client needs to log in elsewhere with the same verifier. */
  readonly keys: ScramKeys;
}

/** The first message of a client, taken apart. */
interface ClientFirst {
  readonly gs2Header: string;
  readonly bare: string;
  readonly nonce: string;
}

/**
 * The server's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), with what PostgreSQL stores.
 * The name in the client's messages is not looked at, as in PostgreSQL: that of the start-up counts.
 */
export class ScramServer {
  readonly #options: ScramServerOptions;
  #first: ClientFirst | undefined;
  #serverFirst = "";

  constructor(options: ScramServerOptions) {
    this.#options = options;
  }

  /**
   * Answers the client's first message.
   *
   * @throws a `PgwireError` with the `diagnostic` for the client
   */
  firstMessage(clientFirst: string): string {
    const first = this.#parseFirst(clientFirst);
    const { verifier, nonce } = this.#options;
    this.#first = first;
    this.#serverFirst = `r=${first.nonce}${nonce},s=${verifier.salt.toString("base64")},i=${verifier.iterations}`;
    return this.#serverFirst;
  }

  /**
   * Checks the client's proof; `undefined` if it does not know the password.
   *
   * @throws a `PgwireError` with the `diagnostic` for the client
   */
  finalMessage(clientFinal: string): ScramProof | undefined {
    if (this.#first === undefined) {
      throw malformed("the exchange has not begun");
    }
    const proofAt = clientFinal.lastIndexOf(",p=");
    if (proofAt < 0) {
      throw malformed('attribute "p" is missing');
    }
    const withoutProof = clientFinal.slice(0, proofAt);
    this.#checkFinal(withoutProof, this.#first);
    const proof = decodeBase64(clientFinal.slice(proofAt + 3));
    if (proof?.length !== KEY_BYTES) {
      throw malformed("the proof is not a key in base64");
    }
    const authMessage = `${this.#first.bare},${this.#serverFirst},${withoutProof}`;
    return this.#verify(proof, authMessage);
  }

  #verify(proof: Buffer, authMessage: string): ScramProof | undefined {
    const { storedKey, serverKey, isMock } = this.#options.verifier;
    const clientKey = xor(proof, hmac(storedKey, authMessage));
    const found = storedKeyOf(clientKey);
    if (!timingSafeEqual(found, storedKey) || isMock) {
      return undefined;
    }
    const signature = hmac(serverKey, authMessage).toString("base64");
    return { message: `v=${signature}`, keys: { clientKey, serverKey } };
  }

  #parseFirst(message: string): ClientFirst {
    const { mechanism, channelBinding } = this.#options;
    const [, gs2Header, flag, authorization, bare] =
      /^((n|y|p=[^,]*),([^,]*),)(.*)$/s.exec(message) ?? [];
    if (gs2Header === undefined || flag === undefined || bare === undefined) {
      throw malformed("the header is not one of GS2");
    }
    if (authorization !== "") {
      throw clientFault("0A000", "client uses authorization identity, but it is not supported");
    }
    checkBindingFlag(flag, mechanism, channelBinding !== undefined);
    const [name, nonceText] = bare.split(",");
    if (name?.startsWith("m=") === true) {
      throw clientFault("0A000", "client requires an unsupported SCRAM extension");
    }
    if (name?.startsWith("n=") !== true || nonceText?.startsWith("r=") !== true) {
      throw malformed('attribute "n" or "r" is missing');
    }
    const nonce = nonceText.slice(2);
    if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(nonce)) {
      throw malformed("the nonce is not printable");
    }
    return { gs2Header, bare, nonce };
  }

  #checkFinal(withoutProof: string, first: ClientFirst): void {
    const [binding, nonce] = withoutProof.split(",");
    if (binding?.startsWith("c=") !== true || nonce?.startsWith("r=") !== true) {
      throw malformed('attribute "c" or "r" is missing');
    }
    const expected = Buffer.concat([Buffer.from(first.gs2Header), this.#bindingData()]);
    if (binding.slice(2) !== expected.toString("base64")) {
      throw clientFault("28000", "SCRAM channel binding check failed");
    }
    if (nonce.slice(2) !== first.nonce + this.#options.nonce) {
      throw malformed("the nonce is another one");
    }
  }

  #bindingData(): Buffer {
    const { mechanism, channelBinding } = this.#options;
    return mechanism === SCRAM_SHA_256_PLUS && channelBinding !== undefined
      ? channelBinding
      : Buffer.alloc(0);
  }
}

function checkBindingFlag(flag: string, mechanism: ScramMechanism, isOffered: boolean): void {
  const isBound = mechanism === SCRAM_SHA_256_PLUS;
  if (flag.startsWith("p=") !== isBound) {
    throw malformed("the mechanism and the channel binding do not belong together");
  }
  if (isBound && flag !== `p=${BINDING_TYPE}`) {
    throw clientFault("08P01", `unsupported SCRAM channel-binding type "${flag.slice(2, 62)}"`);
  }
  if (flag === "y" && isOffered) {
    throw clientFault("28000", "SCRAM channel binding negotiation error", {
      detail:
        "The client supports SCRAM channel binding but thinks the server does not. However, this server does support channel binding.",
    });
  }
}

function malformed(detail: string): Error {
  return clientFault("08P01", "malformed SCRAM message", { detail: `${detail}.` });
}
