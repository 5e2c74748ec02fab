import { describe, expect, test } from 'vitest'
import { ClusterTime } from '../../../lib/raft/node/cluster-time.ts'

describe('cluster time', () => {
  test('goes on with the monotonic clock, whatever that starts from, in whole milliseconds', () => {
    const time = new ClusterTime(1000, 5_000_000)
    time.observe(5_000_000.4)
    expect(time.ms).toBe(0)
    time.observe(5_000_012.9)
    expect(time.ms).toBe(12)
  })

  test('a process that was stopped for an hour wakes up one step later: no lease ends in one blow', () => {
    const time = new ClusterTime(1000, 0)
    time.observe(3_600_000)
    expect(time.ms).toBe(1000)
    time.observe(3_600_010)
    expect(time.ms).toBe(1010)
  })

  test('a clock that goes back, as none should, does not take it back', () => {
    const time = new ClusterTime(1000, 500)
    time.observe(700)
    time.observe(100)
    expect(time.ms).toBe(200)
    time.observe(150)
    expect(time.ms).toBe(250)
  })

  test('a member goes on from the last stamp that it applied: not from its own start, and not faster than the stamps came', () => {
    const time = new ClusterTime(1000, 0)
    time.learn(40_000)
    time.observe(300)
    expect(time.ms).toBe(40_300)
    time.learn(40_100)
    time.observe(310)
    expect(time.ms).toBe(40_110)
  })
})
