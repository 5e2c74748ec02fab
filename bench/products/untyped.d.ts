/** As much of dynamodb-lock-client 0.7.3, which carries no types, as is used here. */
declare module 'dynamodb-lock-client' {
  export interface FailOpenLock {
    readonly fencingToken: number
    on(event: 'error', listener: (error: Error) => void): void
    release(callback: (error?: Error) => void): void
  }
  export class FailOpen {
    constructor(config: {
      dynamodb: object
      lockTable: string
      partitionKey: string
      leaseDurationMs: number
      heartbeatPeriodMs: number
      retryCount: number
    })
    acquireLock(id: string, callback: (error: Error | undefined, lock?: FailOpenLock) => void): void
  }
}
