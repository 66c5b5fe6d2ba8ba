// The smallest project that every command has something to do with.
import { http, model, project, role, sql, stream, t } from 'millrace'

export const visits = stream('visits', { page: t.string(), visitor: t.string() }, { from: http(), key: 'visitor' })
export const pages = model('pages', sql`SELECT page, CAST(count(*) AS BIGINT) AS visits FROM ${visits} GROUP BY ALL`)
export const guest = role('guest')

export default project('tiny', [{ visits, pages, guest }])
