import { Option } from "commander";
import type { Command } from "commander";
import { settings } from "../settings/settings.ts";

/** How a command reaches a pooler. */
export interface ClientOptions {
  /** host:port of a pooler's gRPC server, or unix:/path of its socket. */
  readonly address: string;
  /** PEM files for a pooler whose gRPC server has TLS. */
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** File with the token for a pooler that asks for one. */
  readonly tokenFile?: string;
  /** A duration as text, e.g. "30s"; "0" for none. */
  readonly timeout: string;
}

/** Declares the flags of {@link ClientOptions}. */
export function withClientOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--address <host:port>",
        "gRPC address of the pooler; without a port, its default one; or unix:/path of its --grpc-socket-file",
      )
        .env("MULTIPOOLER_ADDRESS")
        .default(`127.0.0.1:${settings.grpcPort.defaultText}`),
    )
    .option(
      "--tls-ca <path>",
      "PEM file with the authorities of the pooler's certificate; turns on TLS",
    )
    .option("--tls-cert <path>", "PEM file with a certificate for a pooler that asks for one")
    .option("--tls-key <path>", "PEM file with its key")
    .addOption(
      new Option(
        "--token-file <path>",
        "file whose first line is a token of the pooler's --grpc-manager-token-file",
      ).env("MULTIPOOLER_TOKEN_FILE"),
    )
    .option("--timeout <duration>", "give up after this time; 0 waits forever", "0");
}
