import {
  AuthDefinition,
  KVDefinition,
  LeaseDefinition,
  WatchDefinition,
} from "@multipooler/proto/etcd";
import type {
  AuthenticateRequest,
  AuthenticateResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
} from "@multipooler/proto/etcd";

/** How messages become bytes. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A procedure of a service. */
export interface Procedure<Request, Response> {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

function procedure<Request, Response>(
  service: { readonly fullName: string },
  method: {
    readonly name: string;
    readonly requestType: Codec<Request>;
    readonly responseType: Codec<Response>;
  },
): Procedure<Request, Response> {
  return {
    path: `/${service.fullName}/${method.name}`,
    request: method.requestType,
    response: method.responseType,
  };
}

/** The procedures in use. */
export const procedures: {
  readonly authenticate: Procedure<AuthenticateRequest, AuthenticateResponse>;
  readonly range: Procedure<RangeRequest, RangeResponse>;
  readonly txn: Procedure<TxnRequest, TxnResponse>;
  readonly watch: Procedure<WatchRequest, WatchResponse>;
  readonly leaseGrant: Procedure<LeaseGrantRequest, LeaseGrantResponse>;
  readonly leaseRevoke: Procedure<LeaseRevokeRequest, LeaseRevokeResponse>;
  readonly leaseKeepAlive: Procedure<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;
} = {
  authenticate: procedure(AuthDefinition, AuthDefinition.methods.authenticate),
  range: procedure(KVDefinition, KVDefinition.methods.range),
  txn: procedure(KVDefinition, KVDefinition.methods.txn),
  watch: procedure(WatchDefinition, WatchDefinition.methods.watch),
  leaseGrant: procedure(LeaseDefinition, LeaseDefinition.methods.leaseGrant),
  leaseRevoke: procedure(LeaseDefinition, LeaseDefinition.methods.leaseRevoke),
  leaseKeepAlive: procedure(LeaseDefinition, LeaseDefinition.methods.leaseKeepAlive),
};
