import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { fileDescriptorSet } from "@multipooler/proto/descriptors";
import { bidiStream } from "./service-binding.ts";
import type { BoundService } from "./service-binding.ts";

/**
 * `grpc.reflection.v1.ServerReflection` and its v1alpha twin. They describe what `/proto` declares;
 * health is not among it.
 *
 * @param services the full names of the services to list.
 */
export function bindReflection(services: readonly string[]): readonly BoundService[] {
  // proto-loader's own reading of a descriptor set loses the imports between files, and then
  // strict clients such as grpcurl cannot resolve a type. The service looks at nothing but the
  // serialised files, so it gets them as they are.
  const reflection = new ReflectionService(
    {
      everything: {
        format: "Protocol Buffer 3 EnumDescriptorProto",
        type: {},
        fileDescriptorProtos: [...splitDescriptorSet(fileDescriptorSet)],
      },
    },
    { services: [...services] },
  );
  const bound: BoundService[] = [];
  reflection.addToServer({
    addService: (definition, implementation) => {
      bound.push(...bindMethods(definition, implementation));
    },
  });
  return bound;
}

type MethodDefinition = ServiceDefinition[string];

/** Each method as a service of its own, by the name in its path. */
function bindMethods(
  definition: ServiceDefinition,
  implementation: UntypedServiceImplementation,
): BoundService[] {
  return Object.entries(definition).map(([key, method]) => {
    const [, service = "", name = ""] = method.path.split("/");
    const { handler } = bidiStream(
      {
        name,
        requestType: {
          decode: ({ message }): unknown => method.requestDeserialize(Buffer.from(message)),
        },
        requestStream: true,
        responseStream: true,
      },
      (message: Uint8Array) => message,
      async (requests, sink) => {
        const stream = new ReflectionStream(method);
        Reflect.apply(implementation[key] ?? unknownMethod, implementation, [stream]);
        for (;;) {
          const request = await requests.next();
          if (request === undefined) {
            return;
          }
          await sink.write(stream.answer(request));
        }
      },
    );
    return {
      name: service,
      methods: [{ name, requestStream: true, responseStream: true, handler }],
    };
  });
}

function unknownMethod(): never {
  throw new TypeError("the reflection service does not implement a method that it declares");
}

/** What the reflection service takes for a call of grpc-js: it answers each request at once. */
class ReflectionStream {
  readonly #method: MethodDefinition;
  #onData: ((request: unknown) => void) | undefined;
  #answer: Uint8Array | undefined;

  constructor(method: MethodDefinition) {
    this.#method = method;
  }

  on(event: string, listener: (request: unknown) => void): void {
    if (event === "data") {
      this.#onData = listener;
    }
  }

  write(message: unknown): void {
    this.#answer = this.#method.responseSerialize(message);
  }

  answer(request: unknown): Uint8Array {
    this.#answer = undefined;
    this.#onData?.(request);
    if (this.#answer === undefined) {
      throw new TypeError("the reflection service did not answer");
    }
    return this.#answer;
  }
}

/** The files of a serialised google.protobuf.FileDescriptorSet: its field 1, repeated. */
function* splitDescriptorSet(set: Uint8Array): Generator<Buffer, void, void> {
  const bytes = Buffer.from(set.buffer, set.byteOffset, set.byteLength);
  let at = 0;
  while (at < bytes.byteLength) {
    let length = 0;
    let shift = 0;
    // Past the tag, a varint: seven bits a byte, the lowest first, until a byte below 0x80.
    do {
      at += 1;
      length |= (bytes.readUInt8(at) & 0x7f) << shift;
      shift += 7;
    } while (bytes.readUInt8(at) >= 0x80);
    at += 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
