import type { Finding, Severity } from './backend.ts'
import { type Color, columns } from './columns.ts'
import type { Session } from './session.ts'
import { STATUS } from './status.ts'

const OLDEST_NODE: readonly [number, number] = [22, 12]
const COLORS: { readonly [severity in Severity]: Color } = { ok: 'green', note: 'dim', warning: 'yellow', error: 'red' }

export async function doctor(session: Session): Promise<number> {
  const { place, examine } = await session.open()
  const findings = [nodeFinding(session.surroundings.versions.node), ...(await examine())]
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length
  const [errors, warnings] = [count('error'), count('warning')]
  session.tell({ findings, errors, warnings }, text(session, findings))
  if (!session.json) session.note(`${plural(errors, 'error')}, ${plural(warnings, 'warning')} in ${place}.`)
  if (errors > 0) return STATUS.failed
  return warnings > 0 ? STATUS.warnings : STATUS.done
}

function text(session: Session, findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ check, severity, found, remedy }) => [
    [{ text: severity, color: COLORS[severity] }, { text: check }, { text: found }],
    ...(remedy === undefined ? [] : [[{ text: '' }, { text: '' }, { text: `-> ${remedy}`, color: 'bold' as const }]]),
  ])
  return columns(rows, [8, 32, 400], session.paint)
}

export function nodeFinding(version: string): Finding {
  const check = 'node'
  const found = `Node ${version}`
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return { check, severity: 'ok', found }
  return { check, severity: 'error', found, remedy: `Alonce needs Node ${OLDEST_NODE.join('.')} or later.` }
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`
