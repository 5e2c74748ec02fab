import type { Socket } from 'node:net'

/** One request on its way from a handler to the store or to the payment provider. */
export interface Parcel {
  /** The delivery that the handler was at work on; `undefined` when it does not say. */
  readonly delivery: string | undefined
  /** What the request does: `once.begin`, `charge`, … */
  readonly step: string
}

/**
 * What becomes of a request between the handler's process and the server: `apply` hands it on, once or never, and the
 * promise is its answer.
 *
 * @throws LostInTransit when no answer is to come back.
 */
export type Transit = <T>(parcel: Parcel, apply: () => Promise<T>) => Promise<T>

export const untouched: Transit = (_parcel, apply) => apply()

export class LostInTransit extends Error {
  override readonly name = 'LostInTransit'
}

/** How a request over HTTP says which delivery it belongs to, and what it does. */
export const DELIVERY_HEADER = 'x-demo-delivery'
export const STEP_HEADER = 'x-demo-step'

/** To the sender, an answer that was lost looks like a broken connection. Any other failure of a server is a bug of the demo's. */
export function answerOrBreak(socket: Socket, answering: Promise<void>): void {
  answering.catch((error: unknown) => {
    socket.destroy()
    if (!(error instanceof LostInTransit)) queueMicrotask(() => raise(error))
  })
}

function raise(error: unknown): never {
  throw error
}
