import { PoolerServingStatus } from "@multipooler/proto/clustermetadata";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import type {
  StreamPoolerHealthRequest,
  StreamPoolerHealthResponse,
} from "@multipooler/proto/multipoolerservice";
import type { ConformingPooler } from "./conforming-pooler.ts";
import type { WireCall } from "./wire-client.ts";

export const SERVING: number = PoolerServingStatus.SERVING;
export const DRAINING = 4;

/** A StreamPoolerHealth under way. */
export type HealthStream = WireCall<StreamPoolerHealthRequest, StreamPoolerHealthResponse>;

export function watchHealth({ client }: ConformingPooler): HealthStream {
  return client.open(MultipoolerServiceDefinition.methods.streamPoolerHealth).send({}).halfClose();
}

/** The next message with this status. */
export async function untilStatus(
  health: HealthStream,
  status: number,
): Promise<StreamPoolerHealthResponse> {
  for (;;) {
    const message = await health.next();
    if (message === undefined) {
      throw new Error("the stream ended first");
    }
    if (message.servingStatus === status) {
      return message;
    }
  }
}
