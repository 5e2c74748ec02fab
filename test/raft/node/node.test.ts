import { describe, expect, test } from 'vitest'
import type { MemberId } from '../../../lib/raft/core/entry.ts'
import { VersionUnknown } from '../../../lib/raft/node/versions.ts'
import { Cluster } from './cluster.ts'

/** Three members, their leader, and a session. */
async function threeMembers(settings: Parameters<typeof Cluster.found>[1] = {}): Promise<{
  readonly cluster: Cluster
  readonly lead: number
  readonly followers: readonly number[]
  readonly session: number
}> {
  const cluster = await Cluster.found(3, settings)
  const lead = await cluster.leader()
  const session = await cluster.open(lead)
  await cluster.run(50)
  return { cluster, lead, followers: [1, 2, 3].filter((id) => id !== lead), session }
}

describe('persist before send before answer', () => {
  test('a command is on the disks of a majority before its client hears of it', async () => {
    const { cluster, lead, followers, session } = await threeMembers()
    cluster.journal.length = 0
    await cluster.execute(lead, session, { sequence: 1, name: 'x' })
    const { journal } = cluster
    const place = (what: string): number => journal.indexOf(what)
    const [first] = followers as [number, number]
    expect(place(`${first} wrote`)).toBeGreaterThanOrEqual(0)
    expect(place(`${first} wrote`)).toBeLessThan(place(`${first} sends MsgAppResp to ${lead}`))
    expect(place(`${first} sends MsgAppResp to ${lead}`)).toBeLessThan(place(`${lead} answers x`))
    expect(journal.findIndex((line) => line.startsWith(`${lead} applies`))).toBeLessThan(place(`${lead} answers x`))
  })

  test('a vote is on the disk before it leaves', async () => {
    const cluster = await Cluster.found(3)
    await cluster.leader()
    for (const id of [2, 3]) {
      const vote = cluster.journal.indexOf(`${id} sends MsgVoteResp to 1`)
      expect(vote).toBeGreaterThan(0)
      expect(cluster.journal.slice(0, vote).filter((line) => line === `${id} wrote`).length).toBeGreaterThan(0)
      const asked = cluster.journal.indexOf(`1 sends MsgVote to ${id}`)
      expect(cluster.journal.slice(asked, vote)).toContain(`${id} wrote`)
    }
  })

  test('group commit: a hundred commands that come at once are one entry and one write on each disk', async () => {
    const { cluster, lead, session } = await threeMembers()
    cluster.journal.length = 0
    const before = cluster.appliedBy(lead)
    const asked = Array.from({ length: 100 }, (_, place) =>
      cluster.submit(lead, session, { sequence: 1 + place, name: `c${place}` }),
    )
    await cluster.until('all answers', () => asked.every(({ outcome }) => outcome !== undefined))
    expect(asked.map(({ outcome }) => outcome?.outcome)).toEqual(Array(100).fill('executed'))
    expect(cluster.appliedBy(lead)).toBe(before + 1)
    for (const id of [1, 2, 3]) expect(cluster.journal.filter((line) => line === `${id} wrote`).length).toBeLessThanOrEqual(1)
    expect(cluster.machine(lead).executed).toHaveLength(100)
  })

  test('while a write is under way commands are gathered for the next entry', async () => {
    const { cluster, lead, session } = await threeMembers()
    const before = cluster.appliedBy(lead)
    const first = cluster.submit(lead, session, { sequence: 1, name: 'first' })
    await cluster.run(0.5)
    const later = ['b', 'c', 'd'].map((name, place) => cluster.submit(lead, session, { sequence: 2 + place, name }))
    await cluster.until('all answers', () => [first, ...later].every(({ outcome }) => outcome !== undefined))
    expect(cluster.appliedBy(lead)).toBe(before + 2)
  })
})

describe('clients', () => {
  test('a follower executes nothing and says who leads', async () => {
    const { cluster, lead, followers, session } = await threeMembers()
    for (const id of followers) {
      const asked = cluster.submit(id, session, { sequence: 1, name: 'x' })
      await cluster.run(20)
      expect(asked.outcome).toEqual({ outcome: 'not-executed', reason: 'not-leader', lead })
    }
    expect(cluster.machine(lead).executed).toEqual([])
  })

  test('an overloaded leader executes nothing of what it refuses', async () => {
    const { cluster, lead, session } = await threeMembers({ maxPendingCommands: 2 })
    const asked = ['a', 'b', 'c'].map((name, place) => cluster.submit(lead, session, { sequence: 1 + place, name }))
    expect(asked[2]?.outcome).toMatchObject({ outcome: 'not-executed', reason: 'overloaded' })
    await cluster.run(100)
    expect(cluster.machine(lead).executed).toEqual(['a', 'b'])
  })

  test('an outcome that nobody can know is reported as unknown; asking the next leader under the same number tells it', async () => {
    const { cluster, lead, followers, session } = await threeMembers({ patienceTicks: 30 })
    const asked = cluster.submit(lead, session, { sequence: 1, name: 'x' })
    // The entry is at the others' before the leader is cut off; their answers do not reach it.
    await cluster.run(3.5)
    cluster.isolate(lead)
    const next = await cluster.leader(followers)
    await cluster.until('the old leader gives up', () => asked.outcome !== undefined)
    expect(asked.outcome).toEqual({ outcome: 'unknown' })
    expect(await cluster.execute(next, session, { sequence: 1, name: 'x' })).toBe('1:x')
    expect(cluster.machine(next).executed).toEqual(['x'])
  })

  test('what another leader replaced was not executed, and the old leader says so when it learns it', async () => {
    const { cluster, lead, followers, session } = await threeMembers({ patienceTicks: 1000 })
    cluster.isolate(lead)
    const asked = cluster.submit(lead, session, { sequence: 1, name: 'lost' })
    const next = await cluster.leader(followers)
    await cluster.execute(next, session, { sequence: 1, name: 'kept' })
    cluster.heal()
    await cluster.until('an answer', () => asked.outcome !== undefined)
    expect(asked.outcome).toEqual({ outcome: 'not-executed', reason: 'superseded', lead: next })
    await cluster.run(200)
    expect(cluster.machine(lead).executed).toEqual(['kept'])
  })

  test('a command that is sent again after failover and from a snapshot is answered from its session', async () => {
    const { cluster, lead, followers, session } = await threeMembers({ snapshotEntries: 3, keepEntries: 0 })
    for (let sequence = 1; sequence <= 12; sequence++) await cluster.execute(lead, session, { sequence, name: `c${sequence}` })
    await cluster.run(100)
    cluster.start(lead)
    const next = await cluster.leader(followers)
    expect(await cluster.execute(next, session, { sequence: 12, name: 'c12' })).toBe('12:c12')
    await cluster.run(300)
    cluster.isolate(next)
    const third = await cluster.leader([1, 2, 3].filter((id) => id !== next))
    expect(await cluster.execute(third, session, { sequence: 12, name: 'c12' })).toBe('12:c12')
    expect(cluster.machine(third).executed).toHaveLength(12)
  })
})

describe('reads', () => {
  test('a hundred in one turn ask the others once, write nothing, and see what was acknowledged before', async () => {
    const { cluster, lead, session } = await threeMembers()
    await cluster.execute(lead, session, { sequence: 1, name: 'x' })
    await cluster.run(50)
    cluster.sent.length = 0
    cluster.journal.length = 0
    const asked = Array.from({ length: 100 }, () => cluster.read(lead))
    await cluster.until('all answers', () => asked.every(({ outcome }) => outcome !== undefined))
    expect(new Set(asked.map(({ outcome }) => outcome?.outcome))).toEqual(new Set(['ready']))
    const questions = cluster.sent.filter((message) => message.type === 'MsgHeartbeat' && message.to !== lead)
    expect(questions.length).toBeLessThanOrEqual(4)
    expect(cluster.journal.filter((line) => line.endsWith('wrote'))).toEqual([])
  })

  test('a follower reads too, after it has applied as much as the leader had acknowledged', async () => {
    const { cluster, lead, followers, session } = await threeMembers()
    await cluster.execute(lead, session, { sequence: 1, name: 'x' })
    const [follower] = followers as [number]
    let seen: readonly string[] | undefined
    cluster.node(follower).read(() => {
      seen = [...cluster.machine(follower).executed]
    })
    await cluster.until('an answer', () => seen !== undefined)
    expect(seen).toEqual(['x'])
  })

  test('a leader that is cut off answers no read', async () => {
    const { cluster, lead, followers } = await threeMembers()
    cluster.isolate(lead)
    const asked = cluster.read(lead)
    await cluster.leader(followers)
    await cluster.run(2000)
    expect(asked.outcome).toMatchObject({ outcome: 'not-executed' })
  })
})

describe('cluster time', () => {
  test('a new leader goes on where the last one was: no lease begins anew, and none ends early', async () => {
    const { cluster, lead, followers, session } = await threeMembers()
    await cluster.run(4000)
    await cluster.execute(lead, session, { sequence: 1, name: 'x' })
    const [stamp, at] = [cluster.machine(lead).times.at(-1) as number, cluster.scheduler.now]
    // From when they apply it the others count on.
    await cluster.run(100)
    cluster.isolate(lead)
    const next = await cluster.leader(followers)
    await cluster.execute(next, session, { sequence: 2, name: 'y' })
    const passed = cluster.scheduler.now - at
    const stamps = cluster.machine(next).times
    expect(stamps.at(-1)).toBeGreaterThan(stamp)
    expect((stamps.at(-1) as number) - stamp).toBeLessThanOrEqual(passed)
    expect(stamps).toEqual(stamps.toSorted((a, b) => a - b))
  })

  test('a leader that was stopped for a minute lets time go on by one capped step', async () => {
    const cluster = await Cluster.found(1, { maxTimeStepMs: 500 })
    const lead = await cluster.leader()
    const session = await cluster.open(lead)
    await cluster.execute(lead, session, { sequence: 1, name: 'x' })
    const stamp = cluster.machine(lead).times.at(-1) as number
    cluster.pause(lead, 60_000)
    await cluster.run(60_000)
    await cluster.execute(lead, session, { sequence: 2, name: 'y' })
    const step = (cluster.machine(lead).times.at(-1) as number) - stamp
    expect(step).toBeGreaterThanOrEqual(500)
    expect(step).toBeLessThan(600)
  })

  test('a restart does not take it back', async () => {
    const cluster = await Cluster.found(1)
    const session = await cluster.open(await cluster.leader())
    await cluster.run(5000)
    await cluster.execute(1, session, { sequence: 1, name: 'x' })
    const stamp = cluster.machine(1).times.at(-1) as number
    cluster.start(1)
    await cluster.leader()
    await cluster.execute(1, session, { sequence: 2, name: 'y' })
    expect(cluster.machine(1).times.at(-1)).toBeGreaterThanOrEqual(stamp)
  })

  test('what is due is done without a command, by one entry, when its time has come', async () => {
    const { cluster, lead } = await threeMembers()
    const now = cluster.machine(lead).times.at(-1) ?? 0
    for (const id of [1, 2, 3]) cluster.machine(id).dueAt = now + 500
    const before = cluster.appliedBy(lead)
    await cluster.run(1500)
    expect(cluster.appliedBy(lead)).toBe(before + 1)
    for (const id of [1, 2, 3]) expect(cluster.machine(id).times.at(-1)).toBeGreaterThanOrEqual(now + 500)
  })
})

describe('the version of the transitions', () => {
  const inForce = (cluster: Cluster): readonly number[] => [1, 2, 3].map((id) => cluster.node(id).version)

  test('members are upgraded one by one; all work by the newer version as soon as the last one has it, and not before', async () => {
    const { cluster, session } = await threeMembers()
    let sequence = 0
    for (const id of [3, 2, 1]) {
      expect(inForce(cluster)).toEqual([1, 1, 1])
      cluster.start(id, { version: 2 })
      await cluster.run(1000)
      await cluster.execute(await cluster.leader(), session, { sequence: ++sequence, name: `after ${id}` })
    }
    await cluster.until('the switch', () => inForce(cluster).every((version) => version === 2))
    await cluster.execute(await cluster.leader(), session, { sequence: ++sequence, name: 'last' })
    await cluster.run(100)
    for (const id of [1, 2, 3]) {
      const executed = cluster.machine(id).notes.filter((note) => note.startsWith('last') || note.startsWith('after'))
      expect(executed.at(-1)).toMatch(/^last at \d+ by 2$/)
      expect(executed.at(0)).toMatch(/by 1$/)
    }
  })

  test('a member that is down holds the switch back: it may come back as it was', async () => {
    const { cluster } = await threeMembers()
    cluster.isolate(3)
    for (const id of [1, 2]) {
      cluster.start(id, { version: 2 })
      await cluster.run(1500)
    }
    expect([1, 2].map((id) => cluster.node(id).version)).toEqual([1, 1])
  })

  /** A group that works by version 2. */
  async function upgraded(settings: Parameters<typeof Cluster.found>[1] = {}): Promise<Cluster> {
    const { cluster } = await threeMembers(settings)
    for (const id of [3, 2, 1]) {
      cluster.start(id, { version: 2 })
      await cluster.run(1000)
    }
    await cluster.until('the switch', () => inForce(cluster).every((version) => version === 2))
    await cluster.run(500)
    return cluster
  }

  test('after the switch the older program stops where it meets the newer version, skips nothing, and says what to do', async () => {
    const cluster = await upgraded()
    const lead = await cluster.leader()
    const [id] = [1, 2, 3].filter((other) => other !== lead) as [number]
    cluster.start(id, { version: 1 })
    await cluster.until('its refusal', () => cluster.member(id).failure !== undefined)
    expect(cluster.member(id).failure).toBeInstanceOf(VersionUnknown)
    expect(String(cluster.member(id).failure)).toContain('Upgrade this member')
    expect(cluster.machine(id).notes.filter((note) => note.endsWith('by 2'))).toEqual([])
    cluster.start(id, { version: 2 })
    await cluster.run(1000)
    expect(cluster.appliedBy(id)).toBe(cluster.appliedBy(await cluster.leader()))
  })

  test('with a snapshot of the newer version on its disk it does not start', async () => {
    const cluster = await upgraded({ snapshotEntries: 1, keepEntries: 0 })
    const session = await cluster.open(await cluster.leader())
    await cluster.execute(await cluster.leader(), session, { sequence: 1, name: 'x' })
    await cluster.run(500)
    cluster.start(1, { version: 1 })
    await cluster.until('its refusal', () => cluster.member(1).failure !== undefined)
    expect(String(cluster.member(1).failure)).toMatch(/The snapshot was taken under version 2/)
  })

  test('who joins with an older program is told so, and stops', async () => {
    const cluster = await upgraded()
    cluster.start(4, { start: 'join', version: 1 })
    await cluster.run(20)
    const change = { transition: 'auto', changes: [{ type: 'add-learner', id: 4 as MemberId }], context: '' } as const
    cluster.node(await cluster.leader()).changeMembers(change, () => undefined)
    await cluster.until('its refusal', () => cluster.member(4).failure !== undefined)
    expect(cluster.member(4).failure).toBeInstanceOf(VersionUnknown)
    expect(cluster.machine(4).notes).toEqual([])
  })
})

describe('a member that can not go on', () => {
  test('a disk that fails ends it; who waits is told what is certain, and nothing is asked of it any more', async () => {
    const { cluster, lead, session } = await threeMembers()
    const node = cluster.node(lead)
    cluster.member(lead).disk.fail({ operation: 'write', code: 'EIO' })
    const asked = cluster.submit(lead, session, { sequence: 1, name: 'x' })
    await cluster.until('its end', () => cluster.member(lead).failure !== undefined)
    expect(cluster.member(lead).failure).toMatchObject({ code: 'LOG_DEAD' })
    expect(asked.outcome).toEqual({ outcome: 'unknown' })
    let heard: unknown
    node.submit({ session, sequence: 2, acknowledged: 1, payload: new Uint8Array(0) }, (outcome) => {
      heard = outcome
    })
    expect(heard).toEqual({ outcome: 'not-executed', reason: 'not-leader', lead: 0 })
  })
})
