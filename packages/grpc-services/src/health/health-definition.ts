import { service } from "grpc-health-check";
import type { ClientMethod } from "../client/client-method.ts";
import type { MethodDefinition, ServiceDefinition } from "../server/service-binding.ts";

/** The answer to a health check; SERVICE_UNKNOWN is for Watch only. */
export interface HealthMessage {
  readonly status: "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
}

/** The answer to a health list, by service. */
export interface HealthListMessage {
  readonly statuses: Readonly<Record<string, HealthMessage>>;
}

interface HealthMethod<Message, Streamed extends boolean> extends MethodDefinition<
  string,
  Message
> {
  readonly requestStream: false;
  readonly responseStream: Streamed;
}

/**
 * `grpc.health.v1.Health` in the form of ts-proto's generic definitions. Requests are decoded to
 * the name of the service that they ask for.
 */
export const HealthDefinition: ServiceDefinition & {
  readonly methods: {
    readonly check: HealthMethod<HealthMessage, false>;
    readonly list: HealthMethod<HealthListMessage, false>;
    readonly watch: HealthMethod<HealthMessage, true>;
  };
} = {
  fullName: "grpc.health.v1.Health",
  methods: {
    check: method("Check", false),
    list: method("List", false),
    watch: method("Watch", true),
  },
};

/** Check, seen from a client: takes the name of a service, answers whether it is serving. */
export const healthCheckMethod: ClientMethod<string, boolean> = {
  path: loaded("Check").path,
  encode: (name) => loaded("Check").requestSerialize({ service: name }),
  decode(bytes) {
    const response = loaded("Check").responseDeserialize(bytes);
    return "status" in response && response.status === "SERVING";
  },
};

function method<Message extends object, Streamed extends boolean>(
  name: string,
  responseStream: Streamed,
): HealthMethod<Message, Streamed> {
  const { requestDeserialize, responseSerialize } = loaded(name);
  return {
    name,
    requestStream: false,
    responseStream,
    requestType: {
      decode({ message }) {
        const request = requestDeserialize(Buffer.from(message));
        return "service" in request && typeof request.service === "string" ? request.service : "";
      },
    },
    responseType: { encode: (message) => ({ finish: () => responseSerialize(message) }) },
  };
}

function loaded(name: string): NonNullable<(typeof service)[string]> {
  const definition = service[name];
  if (definition === undefined) {
    throw new TypeError(`grpc-health-check has no method ${name}`);
  }
  return definition;
}
