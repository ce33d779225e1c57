import type { Duplex } from "node:stream";
import {
  assertPasswordMessage,
  PACKET_LENGTH_BYTES,
  parseStartupPacket,
  startupPacketBytes,
  unexpectedEncryptionRequest,
} from "@multipooler/pgwire";
import type { StartupPacket } from "@multipooler/pgwire";
import { ALPN_NAME, TlsError } from "@multipooler/tls";
import type { AcceptedTls, ClientCertificate } from "@multipooler/tls";
import { LoginInput } from "./login-input.ts";
import { ClientGone, Refusal } from "./refusal.ts";

/** Completes the TLS handshake of a connection, as `TlsAcceptor.accept` does. */
export type Encryption = (options: { readonly signal: AbortSignal }) => Promise<AcceptedTls>;

/** What a client asks for once the connection is as secret as it is going to be. */
export type ClientRequest = Extract<StartupPacket, { type: "cancel" | "startup" }>;

/** Type byte and length. */
const HEADER_BYTES = 5;
/** The longest part of a SCRAM exchange that PostgreSQL takes has 1024 bytes. */
const MAX_PASSWORD_MESSAGE_BYTES = 8192;
/** The first byte of a TLS handshake, which no length begins with. */
const TLS_HANDSHAKE = 0x16;

const NO_CERTIFICATE: ClientCertificate = { type: "none" };
const NO = Buffer.from("N");
const YES = Buffer.from("S");

/**
 * The conversation with a client up to its login, message by message. It bounds each message; the
 * signal bounds the time.
 */
export class LoginDialogue {
  readonly #signal: AbortSignal;
  readonly #encryption: Encryption | undefined;
  readonly #onSocket: (secure: Duplex) => void;
  #socket: Duplex;
  #input: LoginInput;
  #accepted: AcceptedTls | undefined;

  /**
   * `onSocket` gets the socket to go on with once the connection is encrypted. Without `encryption` it
   * never is.
   */
  constructor(options: {
    readonly socket: Duplex;
    readonly encryption: Encryption | undefined;
    readonly onSocket: (secure: Duplex) => void;
    readonly signal: AbortSignal;
  }) {
    this.#encryption = options.encryption;
    this.#onSocket = options.onSocket;
    this.#socket = options.socket;
    this.#signal = options.signal;
    this.#input = new LoginInput(options.socket, options.signal);
  }

  get isEncrypted(): boolean {
    return this.#accepted !== undefined;
  }

  /** What SCRAM binds to; `undefined` where it cannot. */
  get channelBinding(): Buffer | undefined {
    return this.#accepted?.certificateHash;
  }

  /** What the client showed of itself. */
  get certificate(): ClientCertificate {
    return this.#accepted?.client ?? NO_CERTIFICATE;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /**
   * Answers requests for encryption until the client says what it wants.
   *
   * Rejects with a `PgwireError`, a `MalformedMessageError`, a `Refusal`, `ClientGone` or the
   * signal's reason.
   */
  async request(): Promise<ClientRequest> {
    const asked = new Set<"tls" | "gss">();
    for (;;) {
      const packet = await this.#packet();
      if (packet.type === "cancel" || packet.type === "startup") {
        return packet;
      }
      if (asked.has(packet.type) || this.isEncrypted) {
        throw unexpectedEncryptionRequest(packet.type);
      }
      asked.add(packet.type);
      const offered = packet.type === "tls" ? this.#encryption : undefined;
      if (offered === undefined) {
        this.write(NO);
      } else {
        await this.#encrypt(offered, { isDirect: false });
      }
    }
  }

  /** The content of the next message, which has to be a part of the login. Rejects like `request`. */
  async passwordMessage(): Promise<Buffer> {
    const header = await this.#input.take(HEADER_BYTES);
    assertPasswordMessage(header[0] ?? 0);
    const length = header.readInt32BE(1) + 1 - HEADER_BYTES;
    if (length < 0 || length > MAX_PASSWORD_MESSAGE_BYTES) {
      throw new Refusal("08P01", "invalid message length");
    }
    return await this.#input.take(length);
  }

  /** Gives the socket up, with what was not taken in it. */
  release(): void {
    this.#input.release();
  }

  async #packet(): Promise<StartupPacket> {
    let length = await this.#input.take(PACKET_LENGTH_BYTES);
    if (length[0] === TLS_HANDSHAKE && !this.isEncrypted) {
      const offered = this.#encryption;
      if (offered === undefined) {
        throw new ClientGone("the client began with TLS, which is not configured");
      }
      this.#input.untake(length);
      await this.#encrypt(offered, { isDirect: true });
      length = await this.#input.take(PACKET_LENGTH_BYTES);
    }
    const bytes = startupPacketBytes(length);
    if (bytes === undefined) {
      throw new ClientGone(`the client began with ${length.toString("hex")}, which is no length`);
    }
    return parseStartupPacket(await this.#input.take(bytes - PACKET_LENGTH_BYTES));
  }

  async #encrypt(encryption: Encryption, { isDirect }: { isDirect: boolean }): Promise<void> {
    if (!isDirect) {
      if (this.#input.hasMore) {
        throw new Refusal("08P01", "received unencrypted data after SSL request", {
          detail:
            "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
        });
      }
      this.write(YES);
    }
    this.#input.release();
    const accepted = await accept(encryption, this.#signal);
    const secure = accepted.socket;
    if (isDirect && secure.alpnProtocol !== ALPN_NAME) {
      secure.destroy();
      throw new ClientGone("the client began with TLS, but did not name the protocol");
    }
    this.#socket = secure;
    this.#onSocket(secure);
    this.#input = new LoginInput(secure, this.#signal);
    this.#accepted = accepted;
  }
}

/** Rejects with `ClientGone` or the signal's reason. */
async function accept(encryption: Encryption, signal: AbortSignal): Promise<AcceptedTls> {
  try {
    return await encryption({ signal });
  } catch (error) {
    throw error instanceof TlsError ? new ClientGone(error.message) : error;
  }
}
