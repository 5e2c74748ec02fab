/** Two clocks, because each lies in its own way: the wall clock jumps, the monotonic one may stop while a process is frozen. */
export interface Clock {
  /** Epoch milliseconds. */
  wall(): number
  /** Milliseconds since an arbitrary moment; never runs backwards. */
  monotonic(): number
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
}
