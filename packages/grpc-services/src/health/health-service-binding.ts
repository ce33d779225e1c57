import {
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthDefinition,
} from "@multipooler/proto/health-v1";
import type { HealthListResponse } from "@multipooler/proto/health-v1";
import { onAbort } from "@multipooler/timing";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext, MessageSink } from "../server/rpc.ts";
import { bindService, serverStream, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";
import type { ServiceHealth } from "./service-health.ts";
import { Wakeup } from "./wakeup.ts";

/** `grpc.health.v1.Health`. Its Watch streams end by themselves when the server closes. */
export function bindHealthService(health: ServiceHealth): BoundService {
  const { methods } = HealthDefinition;
  return bindService(HealthDefinition, [
    unary(methods.check, async ({ service }) => check(health, service)),
    unary(methods.list, async () => list(health)),
    serverStream(
      methods.watch,
      (message: HealthCheckResponse) => HealthCheckResponse.encode(message).finish(),
      ({ service }, sink, { signal }) => watch({ health, service, sink, signal }),
    ),
  ]);
}

function check(health: ServiceHealth, service: string): HealthCheckResponse {
  const status = health.status(service);
  if (status !== undefined) {
    return { status };
  }
  throw new GrpcServicesError(
    GrpcServicesErrorCode.NotFound,
    `there is no service ${JSON.stringify(service)}`,
  );
}

function list(health: ServiceHealth): HealthListResponse {
  const statuses = health.services().map((service) => [service, check(health, service)] as const);
  return { statuses: Object.fromEntries(statuses) };
}

interface Watch extends Pick<CallContext, "signal"> {
  readonly health: ServiceHealth;
  readonly service: string;
  readonly sink: MessageSink<HealthCheckResponse>;
}

async function watch({ health, service, sink, signal }: Watch): Promise<void> {
  const change = new Wakeup();
  const unwatch = health.watch(change.wake);
  const stopListening = onAbort(signal, change.wake);
  try {
    let sent: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = health.status(service) ?? ServingStatus.SERVICE_UNKNOWN;
      if (status !== sent) {
        await sink.write({ status });
      }
      sent = status;
      if (health.isClosing) {
        return;
      }
      await change.wait();
    }
  } finally {
    unwatch();
    stopListening();
  }
}
