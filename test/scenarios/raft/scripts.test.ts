import { describe, expect, test } from 'vitest'
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
