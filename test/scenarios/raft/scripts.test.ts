import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { examine, findScripts, scriptsFolder } from './exam.ts'

/** The exam that no one of this project wrote: the scripts of github.com/etcd-io/raft, log lines filtered. */
const folder = scriptsFolder()
const scripts = findScripts(folder)

describe.skipIf(scripts === undefined)(
  `scripts of etcd-io/raft${scripts ? '' : ' (skipped: no folder of them; set ETCD_RAFT_TESTDATA to one)'}`,
  () => {
    test('there are some to run', () => {
      expect(scripts?.length).toBeGreaterThan(0)
    })

    test.each(scripts ?? [])('%s', (script) => {
      const marks = examine(folder, script)
      expect(marks.directives).toBeGreaterThan(0)
      expect(marks.differences.slice(0, 1)).toEqual([])
    })
  },
)

describe('the examiner itself', () => {
  const SCRIPT = `
# A group of one.
add-nodes 1 voters=(1) index=2
----
INFO 1 became follower at term 0

campaign 1
----
ok

stabilize log-level=none
----
ok

propose 1 foo
----
ok

stabilize
----
----
> 1 handling Ready
  Ready MustSync=true:
  Entries:
  1/4 EntryNormal "foo"
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:1 Vote:1 Commit:4
  CommittedEntries:
  1/4 EntryNormal "foo"
----
----

raft-state
----
1: StateLeader (Voter) Term:1 Lead:1
`

  test('runs whatever file is dropped into the folder', () => {
    const folder = withScript(SCRIPT)
    expect(findScripts(folder)).toEqual(['interaction/dropped.txt'])
    expect(examine(folder, 'interaction/dropped.txt')).toEqual({
      script: 'interaction/dropped.txt',
      directives: 6,
      differences: [],
    })
  })

  test('sees a single wrong number, and says where', () => {
    const folder = withScript(SCRIPT.replace('Commit:4', 'Commit:5'))
    expect(examine(folder, 'interaction/dropped.txt').differences).toMatchObject([{ line: 19, command: 'stabilize' }])
  })

  test('counts a broken invariant and a command that it does not know as differences', () => {
    const folder = withScript(`${SCRIPT}\ncompact 1 99\n----\nok\n\nshutdown 1\n----\nok\n`)
    expect(examine(folder, 'interaction/dropped.txt').differences.map(({ command }) => command)).toEqual(['compact', 'shutdown'])
  })

  test('says that there is no folder', () => {
    expect(findScripts('/nowhere/at/all')).toBeUndefined()
  })

  function withScript(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'alonce-scripts-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    mkdirSync(join(folder, 'interaction'))
    writeFileSync(join(folder, 'interaction/dropped.txt'), text)
    return folder
  }
})
