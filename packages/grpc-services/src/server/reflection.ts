import {
  ServerReflectionDefinition,
  ServerReflectionResponse,
} from "@multipooler/proto/reflection-v1";
import type { ReflectedFiles } from "./reflected-files.ts";
import { bidiStream, bindService } from "./service-binding.ts";
import type { BoundService } from "./service-binding.ts";

/** The older name of the same messages, which tools of its time ask for. */
const ALPHA = {
  ...ServerReflectionDefinition,
  fullName: "grpc.reflection.v1alpha.ServerReflection",
} as const;

/**
 * `grpc.reflection.v1.ServerReflection` and its v1alpha twin. They describe what `/proto` declares.
 *
 * @param services the full names of the services to list.
 */
export function bindReflection(services: readonly string[]): readonly BoundService[] {
  let files: Promise<ReflectedFiles> | undefined;
  const { handler } = bidiStream(
    ServerReflectionDefinition.methods.serverReflectionInfo,
    (message: ServerReflectionResponse) => ServerReflectionResponse.encode(message).finish(),
    async (requests, sink) => {
      // Most servers are never asked, and the descriptors take memory.
      files ??= reflectedFiles(services).catch((error: unknown) => {
        // The next one who asks tries again.
        files = undefined;
        throw error;
      });
      const { answer } = await files;
      for (;;) {
        const request = await requests.next();
        if (request === undefined) {
          return;
        }
        await sink.write(answer(request));
      }
    },
  );
  const { name } = ServerReflectionDefinition.methods.serverReflectionInfo;
  return [ServerReflectionDefinition, ALPHA].map((definition) =>
    bindService(definition, [{ name, handler }]),
  );
}

async function reflectedFiles(services: readonly string[]): Promise<ReflectedFiles> {
  const [{ ReflectedFiles: Files }, { fileDescriptorSet }] = await Promise.all([
    import("./reflected-files.ts"),
    import("@multipooler/proto/descriptors"),
  ]);
  return new Files(fileDescriptorSet, services);
}
