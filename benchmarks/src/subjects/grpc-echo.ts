import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerWritableStream, ServiceDefinition } from "@grpc/grpc-js";
import { PATHS } from "./gateway-request.ts";
import { answerKey } from "./recorded-answers.ts";
import type { RecordedAnswers } from "./recorded-answers.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * A grpc-js server that answers at once what was recorded, without a database: what gRPC alone costs
 * for the same messages.
 */
export async function openEchoServer(
  answers: RecordedAnswers,
): Promise<{ address: string; close: () => Promise<void> }> {
  const server = new Server();
  const definition: ServiceDefinition = Object.fromEntries(
    Object.entries(PATHS).map(([name, path]) => [name, bytesMethod(path)]),
  );
  const implementation = Object.fromEntries(
    Object.entries(PATHS).map(([name, path]) => [
      name,
      (call: ServerWritableStream<Buffer, Buffer>): void => {
        for (const message of answers.get(answerKey(path, call.request)) ?? []) {
          call.write(message);
        }
        call.end();
      },
    ]),
  );
  server.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
  };
}

function bytesMethod(path: string): ServiceDefinition[string] {
  return {
    path,
    requestStream: false,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
