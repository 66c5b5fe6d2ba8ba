// A project with four mistakes: `check` must find all of them at once, each with its line.
import { between, checks, http, model, project, sql, stream, t } from 'millrace'

export const visits = stream('visits', { page: t.string(), count: t.int() }, { from: http(), key: 'pag' as 'page' })
export const wrongSql = model('wrong_sql', sql`SELEC page FROM ${visits}`)
export const wrongColumn = model('wrong_column', sql`SELECT pagee FROM ${visits}`)
export const wrongName = stream('Wrong Name', { page: t.string() }, { from: http() })
export const sound = checks('sound', [between(visits.count, 0)], { on: visits })

export default project('bad', [{ visits, wrongSql, wrongColumn, wrongName, sound }])
