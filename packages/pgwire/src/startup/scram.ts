import { pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { ScramKeys } from "@multipooler/query-service";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import { saslPrep } from "./saslprep.ts";
import {
  BINDING_TYPE,
  decodeBase64,
  hmac,
  KEY_BYTES,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  storedKeyOf,
  xor,
} from "./scram-keys.ts";
import type { ScramMechanism } from "./scram-keys.ts";

/**
 * The most work that a server may ask for: about half a second of one core for each dial.
 * PostgreSQL's default is 4096. There is no lower bound but 1, because `scram_iterations` has none
 * either.
 */
const MAX_ITERATIONS = 1_000_000;

/** How much of what a server said an error quotes. */
const QUOTED_CHARACTERS = 60;

const deriveKey = promisify(pbkdf2);

/** The password, or the keys that were derived from it elsewhere. */
export type ScramSecret =
  | { readonly type: "password"; readonly password: string }
  | { readonly type: "scramKeys"; readonly keys: ScramKeys };

/**
 * What the client says of channel binding. The server checks it, so that nobody in between can take
 * the better mechanism off its list unseen.
 *
 * | type        | meaning                                                          |
 * | ----------- | ---------------------------------------------------------------- |
 * | unsupported | the client cannot, or is not to                                  |
 * | unused      | the client could, but the server does not offer it               |
 * | bound       | the proof holds only for a connection that ends at this certificate |
 */
export type ScramBinding =
  | { readonly type: "unsupported" | "unused" }
  | { readonly type: "bound"; readonly certificateHash: Buffer };

/** The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677). */
export class ScramClient {
  /** To be named to the server. */
  readonly mechanism: ScramMechanism;
  readonly #secret: ScramSecret;
  readonly #nonce: string;
  readonly #firstBare: string;
  readonly #gs2Header: string;
  /** As the client repeats it in its last message. */
  readonly #binding: string;
  #serverSignature: Buffer | undefined;

  /** `nonce` is printable ASCII without a comma, from a secure source. */
  constructor(options: {
    readonly user: string;
    readonly secret: ScramSecret;
    readonly binding: ScramBinding;
    readonly nonce: string;
  }) {
    const { binding } = options;
    this.mechanism = binding.type === "bound" ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256;
    this.#gs2Header = gs2Header(binding);
    const data = binding.type === "bound" ? binding.certificateHash : Buffer.alloc(0);
    this.#binding = Buffer.concat([Buffer.from(this.#gs2Header), data]).toString("base64");
    this.#secret = options.secret;
    this.#nonce = options.nonce;
    const user = options.user.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#firstBare = `n=${user},r=${options.nonce}`;
  }

  firstMessage(): Buffer {
    return Buffer.from(this.#gs2Header + this.#firstBare);
  }

  /** Proves knowledge of the password in answer to the server's first message. */
  async finalMessage(serverFirst: string): Promise<Buffer> {
    const { nonce, salt, iterations } = parseServerFirst(serverFirst, this.#nonce);
    const withoutProof = `c=${this.#binding},r=${nonce}`;
    const authMessage = `${this.#firstBare},${serverFirst},${withoutProof}`;
    const { clientKey, serverKey } = await this.#keys(salt, iterations);
    const storedKey = storedKeyOf(clientKey);
    const proof = xor(clientKey, hmac(storedKey, authMessage));
    this.#serverSignature = hmac(serverKey, authMessage);
    return Buffer.from(`${withoutProof},p=${proof.toString("base64")}`);
  }

  /** Checks the server's proof that it knows the password's verifier. */
  verify(serverFinal: string): void {
    const [attribute = ""] = serverFinal.split(",");
    if (attribute.startsWith("e=")) {
      throw failed(`the server ended SCRAM with "${attribute.slice(2, QUOTED_CHARACTERS)}"`);
    }
    const signature = requireBase64(attributeValue(attribute, "v"));
    const expected = this.#serverSignature;
    if (
      expected === undefined ||
      signature.length !== expected.length ||
      !timingSafeEqual(signature, expected)
    ) {
      throw failed("the server does not know the password: its SCRAM signature is wrong");
    }
  }

  async #keys(salt: Buffer, iterations: number): Promise<ScramKeys> {
    switch (this.#secret.type) {
      case "scramKeys": {
        const { clientKey, serverKey } = this.#secret.keys;
        if (clientKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) {
          throw new PgwireError(
            PgwireErrorCode.InvalidArgument,
            `SCRAM keys of ${clientKey.length} and ${serverKey.length} bytes; they have ${KEY_BYTES}`,
          );
        }
        return { clientKey, serverKey };
      }
      case "password": {
        const password = saslPrep(this.#secret.password);
        const salted = await deriveKey(password, salt, iterations, KEY_BYTES, "sha256");
        return { clientKey: hmac(salted, "Client Key"), serverKey: hmac(salted, "Server Key") };
      }
    }
  }
}

function gs2Header(binding: ScramBinding): string {
  switch (binding.type) {
    case "unsupported":
      return "n,,";
    case "unused":
      return "y,,";
    case "bound":
      return `p=${BINDING_TYPE},,`;
  }
}

interface ServerFirst {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

function parseServerFirst(message: string, clientNonce: string): ServerFirst {
  // Mandatory extensions would come first, as "m=", and are refused by not being the nonce.
  const [nonceText, saltText, iterationsText] = message.split(",");
  const nonce = attributeValue(nonceText, "r");
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) {
    throw failed("the SCRAM nonce of the server does not continue that of the client");
  }
  const salt = requireBase64(attributeValue(saltText, "s"));
  const iterations = attributeValue(iterationsText, "i");
  if (!/^[1-9][0-9]{0,8}$/.test(iterations) || Number(iterations) > MAX_ITERATIONS) {
    throw failed(
      `the server asks for ${JSON.stringify(iterations.slice(0, QUOTED_CHARACTERS))} SCRAM iterations; 1 to ${MAX_ITERATIONS} are allowed`,
    );
  }
  return { nonce, salt, iterations: Number(iterations) };
}

function attributeValue(attribute: string | undefined, name: string): string {
  if (attribute?.startsWith(`${name}=`) !== true) {
    throw failed(`a SCRAM message of the server lacks its attribute "${name}"`);
  }
  return attribute.slice(name.length + 1);
}

function requireBase64(text: string): Buffer {
  const bytes = decodeBase64(text);
  if (bytes === undefined) {
    throw failed("a SCRAM message of the server holds what is not base64");
  }
  return bytes;
}

function failed(problem: string): PgwireError {
  return new PgwireError(PgwireErrorCode.AuthenticationFailed, `authentication failed: ${problem}`);
}
