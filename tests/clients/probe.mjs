import { createClient } from '@clickhouse/client'

// The official client for Node.js; a line for each call.
const [url, username, password, database] = process.argv.slice(2)
let wrong = 0
async function check(name, call) {
  try {
    console.log('ok    ' + name + ': ' + JSON.stringify(await call()))
  } catch (error) {
    wrong++
    console.log('wrong ' + name + ': ' + String(error.message).split('\n')[0])
  }
}
for (const [name, compression] of [['plain', {}], ['gzip', { response: true }], ['gzip both', { response: true, request: true }]]) {
  const client = createClient({ url, username, password, database, compression, request_timeout: 20000 })
  await check(name + ' ping', async () => { const p = await client.ping(); if (!p.success) throw p.error; return p.success })
  await check(name + ' ping select', async () => { const p = await client.ping({ select: true }); if (!p.success) throw p.error; return p.success })
  for (const format of ['JSON', 'JSONEachRow', 'JSONCompactEachRow', 'CSV'])
    await check(name + ' ' + format, async () => (await (await client.query({ query: 'SELECT * FROM journeys LIMIT 100', format })).text()).length > 1000)
  await check(name + ' stream', async () => {
    let n = 0
    for await (const rows of (await client.query({ query: 'SELECT number FROM numbers(300000)', format: 'JSONEachRow' })).stream()) n += rows.length
    if (n !== 300000) throw new Error(n + ' rows')
    return n
  })
  await check(name + ' parameters', async () => (await (await client.query({ query: 'SELECT count() AS n FROM journeys WHERE status = {s:String}', query_params: { s: 'completed' }, format: 'JSONEachRow' })).json())[0].n)
  await check(name + ' settings', async () => (await client.query({ query: 'SELECT 1', clickhouse_settings: { max_threads: '1', wait_end_of_query: 1 }, format: 'JSON' })).json().then((r) => r.rows))
  await check(name + ' session', async () => (await client.query({ query: 'SELECT 1', session_id: 'mine', format: 'JSON' })).json().then((r) => r.rows))
  await check(name + ' error', async () => { try { await client.query({ query: 'SELECT nothing_such FROM journeys' }) } catch (e) { return e.code } throw new Error('no error') })
  await check(name + ' abort', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 500)
    try { await client.query({ query: 'SELECT sum(cityHash64(number, rand())) FROM numbers(20000000000)', abort_signal: stop.signal }) } catch (e) { return 'stopped' }
    throw new Error('ran to its end')
  })
  if (username === 'owner') await check(name + ' insert', async () => {
    await client.command({ query: 'CREATE TABLE probe_node (a UInt64, b String) ENGINE = MergeTree ORDER BY a' })
    try {
      await client.insert({ table: 'probe_node', values: Array.from({ length: 1000 }, (_, a) => ({ a, b: "it's " + a })), format: 'JSONEachRow' })
      return (await (await client.query({ query: 'SELECT count() AS n FROM probe_node', format: 'JSONEachRow' })).json())[0].n
    } finally { await client.command({ query: 'DROP TABLE probe_node' }) }
  })
  await client.close()
}
console.log(wrong + ' wrong')
process.exit(wrong ? 1 : 0)
