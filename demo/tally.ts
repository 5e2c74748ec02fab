/** What the clients and the processes of a storm met, counted. */
export interface Tally {
  deliveries: number
  /** A first answer 200. */
  charged: number
  /** A stored answer, given again. */
  replayed: number
  refused: number
  inProgress: number
  accountBusy: number
  /** 5xx, or the handler threw. */
  errors: number
  /** The process died, or the answer was lost, or did not come in time. */
  noAnswer: number
  kills: number
  freezes: number
  cuts: number
  takeovers: number
  /** Attempts that went on past the end of their lease, and noticed or were refused by the store. */
  zombies: number
  chargeRequests: number
}

export const emptyTally = (): Tally => ({
  deliveries: 0,
  charged: 0,
  replayed: 0,
  refused: 0,
  inProgress: 0,
  accountBusy: 0,
  errors: 0,
  noAnswer: 0,
  kills: 0,
  freezes: 0,
  cuts: 0,
  takeovers: 0,
  zombies: 0,
  chargeRequests: 0,
})
