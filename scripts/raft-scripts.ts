/**
 * `npm run test:raft-scripts`: files and directives of etcd-io/raft's scripts passed of total, and a diff at the first
 * difference of each file. Arguments choose scripts by a part of their names.
 *
 * The folder comes from `ETCD_RAFT_TESTDATA` (default: `../shared/etcd-raft-testdata` beside the project).
 */
import { type Difference, examine, findScripts, scriptsFolder } from '../test/scenarios/raft/exam.ts'

const folder = scriptsFolder()
const wanted = process.argv.slice(2)
const scripts = findScripts(folder)?.filter((script) => wanted.length === 0 || wanted.some((part) => script.includes(part)))

if (scripts === undefined) {
  console.log(`Skipped: ${folder} does not exist. Set ETCD_RAFT_TESTDATA to a folder with etcd-io/raft's scripts.`)
} else {
  const marks = scripts.map((script) => examine(folder, script))
  for (const { script, directives, differences } of marks) {
    console.log(`${differences.length === 0 ? 'passed' : 'FAILED'}  ${directives - differences.length}/${directives}  ${script}`)
    if (differences[0]) console.log(diff(differences[0]))
  }
  const failed = marks.filter(({ differences }) => differences.length > 0)
  const directives = marks.reduce((sum, mark) => sum + mark.directives, 0)
  const differing = marks.reduce((sum, mark) => sum + mark.differences.length, 0)
  console.log(
    `${marks.length - failed.length} of ${marks.length} files and ${directives - differing} of ${directives} directives passed`,
  )
  process.exitCode = failed.length > 0 || marks.length === 0 ? 1 : 0
}

/** From the first line that differs, with three lines of agreement before it. */
function diff({ line, command, expected, actual }: Difference): string {
  const [wantedLines, actualLines] = [expected.split('\n'), actual.split('\n')]
  const first = wantedLines.findIndex((text, place) => text !== actualLines[place])
  const at = first < 0 ? wantedLines.length : first
  const rows = [
    ...wantedLines.slice(Math.max(0, at - 3), at).map((text) => `   ${text}`),
    ...wantedLines.slice(at, at + 12).map((text) => ` - ${text}`),
    ...actualLines.slice(at, at + 12).map((text) => ` + ${text}`),
  ]
  return [`  line ${line}: ${command}`, ...rows].join('\n')
}
