import { CALL_TIME_BOUNDS_MS } from "@multipooler/grpc-services";
import type { GrpcServer } from "@multipooler/grpc-services";
import type { CountedHistogram } from "./counted-histograms.ts";

/** How long calls of gRPC took, named and labelled by OpenTelemetry's conventions for them. */
export function callHistogram(grpc: Pick<GrpcServer, "callTimes">): CountedHistogram {
  return {
    name: "rpc.server.call.duration",
    description: "How long calls took, by the status that they ended with.",
    unit: "s",
    bounds: CALL_TIME_BOUNDS_MS.map((ms) => ms / 1000),
    read: () =>
      grpc.callTimes.map(({ method, status, times, totalMs }) => ({
        attributes: {
          "rpc.system.name": "grpc",
          "rpc.method": method,
          "rpc.response.status_code": status,
        },
        counts: times,
        sum: totalMs / 1000,
      })),
  };
}
