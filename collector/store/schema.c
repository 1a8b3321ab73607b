/* schema.c - see schema.h. PRAGMA user_version is the version, PRAGMA application_id says ours. */
#include "collector/store/schema.h"

static const char *const state_steps[] = {
	/* 0 -> 1 */
	"CREATE TABLE agent ("
	" id TEXT PRIMARY KEY, host TEXT NOT NULL, agent_version TEXT NOT NULL DEFAULT '',"
	" kernel TEXT NOT NULL DEFAULT '', machine_id TEXT NOT NULL DEFAULT '',"
	" boot_id TEXT NOT NULL DEFAULT '', serial TEXT NOT NULL, sensors TEXT NOT NULL DEFAULT '[]',"
	" is_revoked INTEGER NOT NULL DEFAULT 0, enrolled INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL DEFAULT 0, cert_not_after INTEGER NOT NULL DEFAULT 0,"
	" epoch INTEGER NOT NULL DEFAULT 0,"
	/* sums over all epochs ever; agent_epoch keeps only the newest epochs */
	" given INTEGER NOT NULL DEFAULT 0, kernel_lost INTEGER NOT NULL DEFAULT 0,"
	" stored INTEGER NOT NULL DEFAULT 0, holes INTEGER NOT NULL DEFAULT 0,"
	" spool_records INTEGER NOT NULL DEFAULT 0, spool_bytes INTEGER NOT NULL DEFAULT 0,"
	" spool_oldest INTEGER NOT NULL DEFAULT 0, rss INTEGER NOT NULL DEFAULT 0,"
	" cpu INTEGER NOT NULL DEFAULT 0, containers INTEGER NOT NULL DEFAULT 0,"
	" processes INTEGER NOT NULL DEFAULT 0, rules_version TEXT NOT NULL DEFAULT '',"
	" loss_total INTEGER NOT NULL DEFAULT 0, loss_seen INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX agent_host ON agent(host);"

	"CREATE TABLE agent_epoch ("
	" agent TEXT NOT NULL REFERENCES agent(id), epoch INTEGER NOT NULL,"
	" seq INTEGER NOT NULL DEFAULT 0, given INTEGER NOT NULL DEFAULT 0,"
	" stored INTEGER NOT NULL DEFAULT 0, holes INTEGER NOT NULL DEFAULT 0,"
	" created INTEGER NOT NULL, PRIMARY KEY(agent, epoch)) WITHOUT ROWID;"

	"CREATE TABLE container ("
	" agent TEXT NOT NULL, id TEXT NOT NULL, name BLOB NOT NULL, image BLOB NOT NULL,"
	" image_id TEXT NOT NULL, image_digest TEXT NOT NULL, user BLOB NOT NULL,"
	" is_privileged INTEGER NOT NULL, engine TEXT NOT NULL, created INTEGER NOT NULL,"
	" started INTEGER NOT NULL, labels TEXT NOT NULL, seen INTEGER NOT NULL,"
	" PRIMARY KEY(agent, id)) WITHOUT ROWID;"
	"CREATE INDEX container_name ON container(name);"
	"CREATE INDEX container_image ON container(image);"
	"CREATE INDEX container_seen ON container(seen);"

	"CREATE TABLE alert ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, first_seen INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL, count INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" priority TEXT NOT NULL, status TEXT NOT NULL, assignee TEXT NOT NULL,"
	" source TEXT NOT NULL, rule TEXT NOT NULL, title TEXT NOT NULL, host TEXT NOT NULL,"
	" agent TEXT NOT NULL, container_id TEXT NOT NULL, container TEXT NOT NULL,"
	" image TEXT NOT NULL, document TEXT NOT NULL, evidence TEXT NOT NULL,"
	" fold_key TEXT NOT NULL,"
	/* takes further findings; of the alerts with one fold key only the newest does */
	" is_current INTEGER NOT NULL DEFAULT 1);"
	"CREATE UNIQUE INDEX alert_fold ON alert(fold_key) WHERE is_current = 1;"
	"CREATE INDEX alert_seen ON alert(last_seen, id);"
	"CREATE INDEX alert_status ON alert(status, last_seen, id);"

	"CREATE TABLE outbox ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, route TEXT NOT NULL, kind TEXT NOT NULL,"
	" grp TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,"
	" due INTEGER NOT NULL, created INTEGER NOT NULL, last_error TEXT NOT NULL DEFAULT '',"
	" is_dead INTEGER NOT NULL DEFAULT 0, UNIQUE(route, key));"
	"CREATE INDEX outbox_due ON outbox(is_dead, due, id);"

	"CREATE TABLE enrol_token ("
	" hash BLOB PRIMARY KEY, expires INTEGER NOT NULL, uses_left INTEGER NOT NULL,"
	" made_by TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE api_token ("
	" hash BLOB PRIMARY KEY, user TEXT NOT NULL, role TEXT NOT NULL, expires INTEGER NOT NULL,"
	" created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE audit_log ("
	" id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,"
	" subject TEXT NOT NULL);",
	/* 1 -> 2. Of each counter of the heartbeat what it said last, and the sum over all starts of the
	 * agent; an alert's responses, and those whose alert is still to come. */
	"ALTER TABLE agent ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN folded_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN actions INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN actions_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_process INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_process_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_rare INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_rare_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_volume INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_volume_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE alert ADD COLUMN actions TEXT NOT NULL DEFAULT '[]';"
	"CREATE TABLE action_waiting ("
	" id INTEGER PRIMARY KEY, fold_key TEXT NOT NULL, at INTEGER NOT NULL, action TEXT NOT NULL);"
	"CREATE INDEX action_waiting_key ON action_waiting(fold_key);"
	/* What agents did is kept apart from what people did: one that is taken over must not push that out. */
	"ALTER TABLE audit_log ADD COLUMN is_agent INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX audit_log_kind ON audit_log(is_agent, id);",
	/* 2 -> 3. Images. A package stands once for the whole fleet, whatever images it is in, and so does what
	 * is known of its vulnerabilities: (package, distribution) is what is matched. */
	"CREATE TABLE os ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, codename TEXT NOT NULL,"
	" os_like TEXT NOT NULL, UNIQUE(name, version, codename, os_like));"
	/* of packages that no distribution has a word about */
	"INSERT INTO os VALUES (0, '', '', '', '');"
	"CREATE TABLE image ("
	/* numbers are never used again: what was told of an image must not pass for another's */
	" id INTEGER PRIMARY KEY AUTOINCREMENT, image_id TEXT NOT NULL UNIQUE,"
	/* of the inventory; empty: an agent named it, but its inventory isn't here yet */
	" sha256 BLOB NOT NULL DEFAULT x'', agent TEXT NOT NULL DEFAULT '', os INTEGER NOT NULL DEFAULT 0,"
	" os_title TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT '', arch TEXT NOT NULL DEFAULT '',"
	" os_type TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL DEFAULT 0,"
	" size INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0,"
	" stored INTEGER NOT NULL DEFAULT 0, first_seen INTEGER NOT NULL, seen INTEGER NOT NULL,"
	" packages INTEGER NOT NULL DEFAULT 0, names TEXT NOT NULL DEFAULT '[]',"
	" digests TEXT NOT NULL DEFAULT '[]', problems TEXT NOT NULL DEFAULT '[]',"
	" config BLOB NOT NULL DEFAULT x'',"
	/* where it runs now, from image_use and container_use */
	" hosts INTEGER NOT NULL DEFAULT 0, containers INTEGER NOT NULL DEFAULT 0,"
	" is_exposed INTEGER NOT NULL DEFAULT 0, is_moved INTEGER NOT NULL DEFAULT 0,"
	/* package_use has rows of it: most images have none, and looking costs */
	" is_used INTEGER NOT NULL DEFAULT 0,"
	/* of its findings, as last counted */
	" critical INTEGER NOT NULL DEFAULT 0, high INTEGER NOT NULL DEFAULT 0,"
	" medium INTEGER NOT NULL DEFAULT 0, low INTEGER NOT NULL DEFAULT 0,"
	" other INTEGER NOT NULL DEFAULT 0, fixable INTEGER NOT NULL DEFAULT 0,"
	" kev INTEGER NOT NULL DEFAULT 0, is_counted INTEGER NOT NULL DEFAULT 1,"
	" is_newer INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX image_uncounted ON image(id) WHERE is_counted = 0;"
	"CREATE INDEX image_seen ON image(seen);"
	"CREATE INDEX image_agent ON image(agent);"
	"CREATE INDEX image_moved ON image(id) WHERE is_moved = 1;"
	"CREATE TABLE image_digest ("
	" digest TEXT NOT NULL, image INTEGER NOT NULL, PRIMARY KEY(digest, image)) WITHOUT ROWID;"
	"CREATE INDEX image_digest_of ON image_digest(image);"
	"CREATE TABLE layer (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, packages INTEGER NOT NULL);"
	"CREATE TABLE image_layer ("
	" image INTEGER NOT NULL, position INTEGER NOT NULL, layer INTEGER NOT NULL, diff_id TEXT NOT NULL,"
	" digest TEXT NOT NULL, created_by TEXT NOT NULL, size INTEGER NOT NULL,"
	" PRIMARY KEY(image, position)) WITHOUT ROWID;"
	"CREATE INDEX image_layer_of ON image_layer(layer, image);"
	"CREATE TABLE package ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, ecosystem TEXT NOT NULL,"
	" arch TEXT NOT NULL, source TEXT NOT NULL, source_version TEXT NOT NULL, owner TEXT NOT NULL,"
	/* what the vulnerability database calls it when it changes */
	" key TEXT NOT NULL, UNIQUE(name, version, ecosystem, arch, source, source_version, owner));"
	"CREATE INDEX package_key ON package(key);"
	"CREATE INDEX package_owner ON package(owner) WHERE owner <> '';"
	"CREATE TABLE layer_package ("
	" layer INTEGER NOT NULL, package INTEGER NOT NULL, path BLOB NOT NULL, is_dev INTEGER NOT NULL,"
	" PRIMARY KEY(layer, package, path)) WITHOUT ROWID;"
	"CREATE INDEX layer_package_of ON layer_package(package, layer);"
	"CREATE TABLE package_os ("
	" package INTEGER NOT NULL, os INTEGER NOT NULL, is_due INTEGER NOT NULL DEFAULT 1,"
	" PRIMARY KEY(package, os)) WITHOUT ROWID;"
	"CREATE INDEX package_os_due ON package_os(os, package) WHERE is_due = 1;"
	"CREATE INDEX package_os_of ON package_os(os);"

	"CREATE TABLE image_use ("
	" agent TEXT NOT NULL, image INTEGER NOT NULL, reference TEXT NOT NULL, state INTEGER NOT NULL,"
	" first_seen INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(agent, image)) WITHOUT ROWID;"
	"CREATE INDEX image_use_of ON image_use(image, agent);"
	"CREATE INDEX image_use_ended ON image_use(ended) WHERE ended > 0;"
	"CREATE TABLE container_use ("
	" agent TEXT NOT NULL, container TEXT NOT NULL, image INTEGER NOT NULL, name TEXT NOT NULL,"
	" ports TEXT NOT NULL, started INTEGER NOT NULL, state INTEGER NOT NULL,"
	" PRIMARY KEY(agent, container)) WITHOUT ROWID;"
	"CREATE INDEX container_use_of ON container_use(image);"
	"CREATE TABLE package_use ("
	" image INTEGER NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, ecosystem TEXT NOT NULL,"
	" agent TEXT NOT NULL, how INTEGER NOT NULL, path BLOB NOT NULL, container TEXT NOT NULL,"
	" last INTEGER NOT NULL, PRIMARY KEY(image, name, version, ecosystem, agent)) WITHOUT ROWID;"
	"CREATE INDEX package_use_last ON package_use(agent, last);"
	"CREATE TABLE use_state ("
	" agent TEXT PRIMARY KEY, state INTEGER NOT NULL, next_part INTEGER NOT NULL, at INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE base_image ("
	" image INTEGER NOT NULL, reference TEXT NOT NULL, running TEXT NOT NULL, current TEXT NOT NULL,"
	" checked INTEGER NOT NULL, error TEXT NOT NULL, agent TEXT NOT NULL,"
	" PRIMARY KEY(image, reference)) WITHOUT ROWID;"

	"CREATE TABLE vuln ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, aliases TEXT NOT NULL DEFAULT '[]',"
	" title TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', urls TEXT NOT NULL DEFAULT '[]',"
	" score REAL NOT NULL DEFAULT 0, vector TEXT NOT NULL DEFAULT '', epss REAL NOT NULL DEFAULT -1,"
	" percentile REAL NOT NULL DEFAULT -1, is_kev INTEGER NOT NULL DEFAULT 0,"
	" kev_added TEXT NOT NULL DEFAULT '', kev_due TEXT NOT NULL DEFAULT '',"
	" is_ransomware INTEGER NOT NULL DEFAULT 0, published INTEGER NOT NULL DEFAULT 0,"
	" modified INTEGER NOT NULL DEFAULT 0, first_seen INTEGER NOT NULL,"
	/* what was said of it first in this generation of the database */
	" digest INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0,"
	/* of its places, as they were when last looked at */
	" severity INTEGER NOT NULL DEFAULT 0, packages TEXT NOT NULL DEFAULT '[]',"
	" is_fixable INTEGER NOT NULL DEFAULT 0, images INTEGER NOT NULL DEFAULT 0,"
	" running INTEGER NOT NULL DEFAULT 0, hosts INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0,"
	" is_exposed INTEGER NOT NULL DEFAULT 0, is_accepted INTEGER NOT NULL DEFAULT 0,"
	/* what is urgent first */
	" rank INTEGER NOT NULL DEFAULT 0, is_due INTEGER NOT NULL DEFAULT 1);"
	"CREATE INDEX vuln_rank ON vuln(rank, id);"
	"CREATE INDEX vuln_due ON vuln(rank) WHERE is_due = 1;"
	"CREATE TABLE vuln_alias ("
	" alias TEXT NOT NULL, vuln INTEGER NOT NULL, PRIMARY KEY(alias, vuln)) WITHOUT ROWID;"
	"CREATE INDEX vuln_alias_of ON vuln_alias(vuln);"
	"CREATE TABLE finding ("
	" package INTEGER NOT NULL, os INTEGER NOT NULL, vuln INTEGER NOT NULL, record TEXT NOT NULL,"
	" severity INTEGER NOT NULL, severity_source TEXT NOT NULL, fixed TEXT NOT NULL,"
	" status INTEGER NOT NULL, note TEXT NOT NULL, feed TEXT NOT NULL, first_seen INTEGER NOT NULL,"
	" resolved INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(package, os, vuln)) WITHOUT ROWID;"
	"CREATE INDEX finding_vuln ON finding(vuln, package, os);"
	"CREATE TABLE vuln_alert ("
	" vuln INTEGER NOT NULL, image INTEGER NOT NULL, alert INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" state INTEGER NOT NULL, PRIMARY KEY(vuln, image)) WITHOUT ROWID;"
	"CREATE INDEX vuln_alert_image ON vuln_alert(image);"
	"CREATE TABLE acceptance ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, vuln TEXT NOT NULL, image TEXT NOT NULL, package TEXT NOT NULL,"
	" reason TEXT NOT NULL, who TEXT NOT NULL, created INTEGER NOT NULL, until INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0, ended_by TEXT NOT NULL DEFAULT '');"
	"CREATE INDEX acceptance_vuln ON acceptance(vuln) WHERE ended = 0;"
	"CREATE INDEX acceptance_until ON acceptance(until) WHERE ended = 0;"
	"CREATE TABLE feed ("
	" name TEXT PRIMARY KEY, url TEXT NOT NULL DEFAULT '', format TEXT NOT NULL DEFAULT '',"
	" etag TEXT NOT NULL DEFAULT '', modified TEXT NOT NULL DEFAULT '', tried INTEGER NOT NULL DEFAULT 0,"
	" succeeded INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0,"
	" bytes INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
	"CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
	/* 3 -> 4. Checks of the configuration, and the policy. life: 0 nobody said, 1 started, 2 stopped. */
	"ALTER TABLE container ADD COLUMN config BLOB NOT NULL DEFAULT x'';"
	"ALTER TABLE container ADD COLUMN life INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE container ADD COLUMN life_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN policy_digest TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE agent ADD COLUMN policy_source TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE agent ADD COLUMN policy_mode TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE agent ADD COLUMN policy_error TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE agent ADD COLUMN policy_flags INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN denied INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN denied_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN would_deny INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN would_deny_said INTEGER NOT NULL DEFAULT 0;"
	/* which policy was handed to it, and when; the alert that it was refused */
	"ALTER TABLE agent ADD COLUMN policy_sent TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE agent ADD COLUMN policy_sent_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN policy_alert INTEGER NOT NULL DEFAULT 0;"
	/* the catalogue that its reports speak of */
	"ALTER TABLE agent ADD COLUMN catalogue TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE check_catalogue (key TEXT PRIMARY KEY, agent TEXT NOT NULL, stored INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE INDEX check_catalogue_agent ON check_catalogue(agent);"
	"CREATE TABLE check_text ("
	" catalogue TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, subject TEXT NOT NULL,"
	" severity INTEGER NOT NULL, cis TEXT NOT NULL, mitre TEXT NOT NULL, why TEXT NOT NULL,"
	" fix TEXT NOT NULL, PRIMARY KEY(catalogue, id)) WITHOUT ROWID;"
	"CREATE TABLE check_subject ("
	" id INTEGER PRIMARY KEY, agent TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,"
	" name TEXT NOT NULL, image TEXT NOT NULL, image_id TEXT NOT NULL,"
	/* of a container: the last one that went by the key */
	" last_id TEXT NOT NULL, is_here INTEGER NOT NULL, seen INTEGER NOT NULL,"
	" passed INTEGER NOT NULL DEFAULT 0, report INTEGER NOT NULL DEFAULT 0, UNIQUE(agent, kind, key));"
	"CREATE INDEX check_subject_last ON check_subject(agent, last_id);"
	"CREATE TABLE check_finding ("
	/* numbers are never used again: people name findings by them */
	" id INTEGER PRIMARY KEY AUTOINCREMENT, subject INTEGER NOT NULL, check_id TEXT NOT NULL,"
	" catalogue TEXT NOT NULL, status TEXT NOT NULL, severity INTEGER NOT NULL, evidence TEXT NOT NULL,"
	" fix TEXT NOT NULL, differs INTEGER NOT NULL, trigger TEXT NOT NULL, first_seen INTEGER NOT NULL,"
	" opened INTEGER NOT NULL, last_seen INTEGER NOT NULL, mended INTEGER NOT NULL DEFAULT 0,"
	" mended_why TEXT NOT NULL DEFAULT '',"
	/* 0 new, 1 still, 2 reopened; how often it was */
	" state INTEGER NOT NULL DEFAULT 0, reopened INTEGER NOT NULL DEFAULT 0,"
	" waiver INTEGER NOT NULL DEFAULT 0, report INTEGER NOT NULL, rank INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE(subject, check_id));"
	"CREATE INDEX check_finding_rank ON check_finding(rank, id);"
	"CREATE INDEX check_finding_check ON check_finding(check_id);"
	"CREATE INDEX check_finding_waiver ON check_finding(waiver) WHERE waiver > 0;"
	"CREATE INDEX check_finding_mended ON check_finding(mended) WHERE mended > 0;"
	"CREATE TABLE check_count ("
	" agent TEXT PRIMARY KEY, subjects INTEGER NOT NULL, findings INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE check_waiver ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, check_id TEXT NOT NULL, subject TEXT NOT NULL, host TEXT NOT NULL,"
	" reason TEXT NOT NULL, who TEXT NOT NULL, created INTEGER NOT NULL, until INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0, ended_by TEXT NOT NULL DEFAULT '', used INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX check_waiver_until ON check_waiver(until) WHERE ended = 0;"
	"CREATE TABLE check_alert ("
	" agent TEXT NOT NULL, check_id TEXT NOT NULL, alert INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" state INTEGER NOT NULL, newest INTEGER NOT NULL, PRIMARY KEY(agent, check_id)) WITHOUT ROWID;"
	"CREATE TABLE check_due ("
	" agent TEXT NOT NULL, check_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(agent, check_id))"
	" WITHOUT ROWID;"
	"CREATE TABLE policy ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL, text BLOB NOT NULL, who TEXT NOT NULL,"
	" comment TEXT NOT NULL, created INTEGER NOT NULL);",
	/* 4 -> 5. What agents' policies ask of images: the worst severity (+ 1; 0 none) of what nobody accepts, since when
	 * (unix ns; 0: it was not matched yet), and whether that has to be found out anew. */
	"ALTER TABLE image ADD COLUMN worst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE image ADD COLUMN worst_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE image ADD COLUMN is_judged INTEGER NOT NULL DEFAULT 1;"
	"UPDATE image SET is_judged = 0 WHERE length(sha256) > 0;"
	"CREATE INDEX image_unjudged ON image(id) WHERE is_judged = 0;",
	/* 5 -> 6. The collector's own health. How far an agent's clock is ahead (ns, by its last heartbeat); what is
	 * wrong at present, with its alert (several may share one). */
	"ALTER TABLE agent ADD COLUMN clock_ahead INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX agent_machine ON agent(machine_id, host);"
	"CREATE TABLE health ("
	" what TEXT NOT NULL, subject TEXT NOT NULL, since INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" host TEXT NOT NULL, alert INTEGER NOT NULL, PRIMARY KEY(what, subject)) WITHOUT ROWID;",
	/* 6 -> 7. What people do with alerts: why one was resolved, until when it sleeps (unix ns; 0: it doesn't), who did
	 * what with it. */
	"ALTER TABLE alert ADD COLUMN resolution TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE alert ADD COLUMN duplicate_of INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE alert ADD COLUMN wake INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX alert_wake ON alert(wake) WHERE wake > 0;"
	"CREATE INDEX alert_rule ON alert(rule, last_seen, id);"
	"CREATE INDEX alert_host ON alert(host, last_seen, id);"
	/* those that are of many hosts, which stand in their documents */
	"CREATE INDEX alert_places ON alert(last_seen, id) WHERE source IN ('scan', 'audit', 'policy');"
	"CREATE TABLE alert_trail ("
	" id INTEGER PRIMARY KEY, alert INTEGER NOT NULL, is_person INTEGER NOT NULL, at INTEGER NOT NULL,"
	" who TEXT NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX alert_trail_of ON alert_trail(alert, is_person, id);"
	/* Alerts that are made but not told, and those that were told late. */
	"CREATE TABLE silence ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, matchers TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL,"
	" created INTEGER NOT NULL, begins INTEGER NOT NULL, until INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0, ended_by TEXT NOT NULL DEFAULT '',"
	" hits INTEGER NOT NULL DEFAULT 0, last_hit INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX silence_until ON silence(until) WHERE ended = 0;"
	/* holder: of a silence its number, of an inhibition the alert that inhibits. kind: 1 silence, 2 inhibition; due:
	 * nothing holds it any more, and it is to be told. */
	"CREATE TABLE alert_held ("
	" alert INTEGER PRIMARY KEY, kind INTEGER NOT NULL, holder INTEGER NOT NULL, is_due INTEGER NOT NULL DEFAULT 0,"
	" at INTEGER NOT NULL);"
	"CREATE INDEX alert_held_by ON alert_held(kind, holder, is_due, alert);"
	"CREATE TABLE alert_holder ("
	" kind INTEGER NOT NULL, holder INTEGER NOT NULL, PRIMARY KEY(kind, holder)) WITHOUT ROWID;"
	/* open alerts that inhibit others, by the hash of the rule that says so and the values that must be equal */
	"CREATE TABLE inhibit_source ("
	" rule INTEGER NOT NULL, key TEXT NOT NULL, alert INTEGER NOT NULL, PRIMARY KEY(rule, key, alert)) WITHOUT ROWID;"
	"CREATE INDEX inhibit_source_of ON inhibit_source(alert);"
	"CREATE TABLE inhibit_rule (rule INTEGER PRIMARY KEY, at INTEGER NOT NULL);"
	/* who is told next, when nobody acknowledges */
	"CREATE TABLE escalation ("
	" alert INTEGER NOT NULL, policy TEXT NOT NULL, due INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(alert, policy)) WITHOUT ROWID;"
	"CREATE INDEX escalation_due ON escalation(due);"
	"CREATE TABLE exception ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, conditions TEXT NOT NULL, alert INTEGER NOT NULL,"
	" reason TEXT NOT NULL, who TEXT NOT NULL, created INTEGER NOT NULL, until INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0, ended_by TEXT NOT NULL DEFAULT '', hits INTEGER NOT NULL DEFAULT 0,"
	" last_hit INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX exception_until ON exception(until) WHERE ended = 0 AND until > 0;"
	/* How urgent a running container and an image are, and why. own: of the configuration and alerts alone; vulns: of
	 * the vulnerabilities alone. next: by then it is looked at again. */
	"CREATE TABLE risk_container ("
	" agent TEXT NOT NULL, container TEXT NOT NULL, score INTEGER NOT NULL, own INTEGER NOT NULL,"
	" reasons TEXT NOT NULL, next INTEGER NOT NULL, PRIMARY KEY(agent, container)) WITHOUT ROWID;"
	"CREATE INDEX risk_container_score ON risk_container(score, agent, container);"
	"CREATE INDEX risk_container_next ON risk_container(next);"
	"CREATE TABLE risk_image ("
	" image INTEGER PRIMARY KEY, score INTEGER NOT NULL, vulns INTEGER NOT NULL, vuln_reasons TEXT NOT NULL,"
	" reasons TEXT NOT NULL, next INTEGER NOT NULL);"
	"CREATE INDEX risk_image_score ON risk_image(score, image);"
	"CREATE INDEX risk_image_next ON risk_image(next);"
	/* a container (image 0), or an image (agent and container empty) */
	"CREATE TABLE risk_due ("
	" agent TEXT NOT NULL, container TEXT NOT NULL, image INTEGER NOT NULL,"
	" PRIMARY KEY(agent, container, image)) WITHOUT ROWID;"
	"INSERT INTO risk_due SELECT agent, id, 0 FROM container WHERE life <> 2;"
	"INSERT INTO risk_due SELECT '', '', id FROM image;"
	/* Five rooms write what it is made of; none of them needs to know. (An OR IGNORE in here would become whatever the
	 * statement says that fired it.) */
	"CREATE TRIGGER risk_container_new AFTER INSERT ON container BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.id, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.id AND image = 0); END;"
	"CREATE TRIGGER risk_container_other AFTER UPDATE OF life, image_id, config ON container"
	" WHEN OLD.life <> NEW.life OR OLD.image_id <> NEW.image_id OR OLD.config <> NEW.config BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.id, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.id AND image = 0); END;"
	"CREATE TRIGGER risk_container_gone AFTER DELETE ON container BEGIN"
	" DELETE FROM risk_container WHERE agent = OLD.agent AND container = OLD.id; END;"
	"CREATE TRIGGER risk_finding_new AFTER INSERT ON check_finding BEGIN"
	" INSERT INTO risk_due SELECT agent, last_id, 0 FROM check_subject s WHERE id = NEW.subject AND kind = 'container'"
	" AND NOT EXISTS (SELECT 1 FROM risk_due WHERE agent = s.agent AND container = s.last_id AND image = 0); END;"
	"CREATE TRIGGER risk_finding_other AFTER UPDATE OF mended, waiver, severity ON check_finding"
	" WHEN OLD.mended <> NEW.mended OR OLD.waiver <> NEW.waiver OR OLD.severity <> NEW.severity BEGIN"
	" INSERT INTO risk_due SELECT agent, last_id, 0 FROM check_subject s WHERE id = NEW.subject AND kind = 'container'"
	" AND NOT EXISTS (SELECT 1 FROM risk_due WHERE agent = s.agent AND container = s.last_id AND image = 0); END;"
	"CREATE TRIGGER risk_finding_gone AFTER DELETE ON check_finding BEGIN"
	" INSERT INTO risk_due SELECT agent, last_id, 0 FROM check_subject s WHERE id = OLD.subject AND kind = 'container'"
	" AND NOT EXISTS (SELECT 1 FROM risk_due WHERE agent = s.agent AND container = s.last_id AND image = 0); END;"
	"CREATE INDEX alert_container ON alert(container_id, last_seen) WHERE container_id <> '';"
	"CREATE TRIGGER risk_alert_new AFTER INSERT ON alert WHEN NEW.container_id <> '' BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.container_id, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.container_id AND image = 0); END;"
	"CREATE TRIGGER risk_alert_other AFTER UPDATE OF status, severity, last_seen ON alert"
	" WHEN NEW.container_id <> '' AND (OLD.status <> NEW.status OR OLD.severity <> NEW.severity"
	" OR NEW.last_seen > OLD.last_seen + 3600000000000) BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.container_id, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.container_id AND image = 0); END;"
	"CREATE TRIGGER risk_use_new AFTER INSERT ON container_use BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.container, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.container AND image = 0);"
	" INSERT INTO risk_due SELECT '', '', NEW.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = NEW.image); END;"
	"CREATE TRIGGER risk_use_other AFTER UPDATE OF image, ports ON container_use"
	" WHEN OLD.image <> NEW.image OR OLD.ports <> NEW.ports BEGIN"
	" INSERT INTO risk_due SELECT NEW.agent, NEW.container, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = NEW.agent AND container = NEW.container AND image = 0);"
	" INSERT INTO risk_due SELECT '', '', OLD.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = OLD.image);"
	" INSERT INTO risk_due SELECT '', '', NEW.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = NEW.image); END;"
	"CREATE TRIGGER risk_use_gone AFTER DELETE ON container_use BEGIN"
	" INSERT INTO risk_due SELECT OLD.agent, OLD.container, 0 WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = OLD.agent AND container = OLD.container AND image = 0);"
	" INSERT INTO risk_due SELECT '', '', OLD.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = OLD.image); END;"
	"CREATE TRIGGER risk_image_counted AFTER UPDATE OF is_counted ON image"
	" WHEN NEW.is_counted = 1 AND OLD.is_counted = 0 BEGIN"
	" INSERT INTO risk_due SELECT '', '', NEW.id WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = NEW.id); END;"
	"CREATE TRIGGER risk_image_gone AFTER DELETE ON image BEGIN"
	" DELETE FROM risk_image WHERE image = OLD.id; END;"
	"CREATE TRIGGER risk_package_new AFTER INSERT ON package_use BEGIN"
	" INSERT INTO risk_due SELECT '', '', NEW.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = NEW.image); END;"
	"CREATE TRIGGER risk_package_other AFTER UPDATE OF how ON package_use WHEN OLD.how <> NEW.how BEGIN"
	" INSERT INTO risk_due SELECT '', '', NEW.image WHERE NOT EXISTS (SELECT 1 FROM risk_due"
	" WHERE agent = '' AND container = '' AND image = NEW.image); END;"
	"CREATE TRIGGER risk_accepted AFTER INSERT ON acceptance BEGIN"
	" INSERT INTO risk_due SELECT '', '', id FROM image WHERE hosts > 0 AND id NOT IN"
	" (SELECT image FROM risk_due WHERE agent = '' AND container = ''); END;"
	"CREATE TRIGGER risk_unaccepted AFTER UPDATE OF ended ON acceptance BEGIN"
	" INSERT INTO risk_due SELECT '', '', id FROM image WHERE hosts > 0 AND id NOT IN"
	" (SELECT image FROM risk_due WHERE agent = '' AND container = ''); END;",
	/* 7 -> 8. Correlations: their state (one row), what came since, when each rule fired. */
	"CREATE TABLE correlation_state ("
	" id INTEGER PRIMARY KEY CHECK(id = 1), names BLOB NOT NULL, generation INTEGER NOT NULL, parts INTEGER NOT NULL,"
	" journal INTEGER NOT NULL, taken INTEGER NOT NULL);"
	"CREATE TABLE correlation_part ("
	" generation INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(generation, part));"
	"CREATE TABLE correlation_journal (id INTEGER PRIMARY KEY, row BLOB NOT NULL);"
	"CREATE TABLE correlation_rule (rule TEXT PRIMARY KEY, fired INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;",
	/* 8 -> 9. Notification by groups. A group is what one route tells one receiver together; its members are alerts.
	 * pending: why it is to be told (0: it isn't), said: the state that was told last, at: since when it is pending. */
	"ALTER TABLE outbox ADD COLUMN receiver TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE outbox ADD COLUMN grp_id INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE outbox ADD COLUMN serial INTEGER NOT NULL DEFAULT 0;"
	"UPDATE outbox SET receiver = route;"
	"CREATE INDEX outbox_lane ON outbox(route, receiver, due, id) WHERE is_dead = 0;"
	"CREATE TABLE notify_group ("
	/* numbers are never used again: idempotency keys are made of them */
	" id INTEGER PRIMARY KEY AUTOINCREMENT, route TEXT NOT NULL, receiver TEXT NOT NULL, key TEXT NOT NULL,"
	" label TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER NOT NULL DEFAULT 0,"
	" sent INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0, serial INTEGER NOT NULL DEFAULT 0,"
	/* a message of it is on its way: the next waits, so that their order is kept */
	" is_busy INTEGER NOT NULL DEFAULT 0, is_held INTEGER NOT NULL DEFAULT 0, UNIQUE(route, receiver, key));"
	"CREATE INDEX notify_group_due ON notify_group(route, receiver, due, id) WHERE due > 0 AND is_busy = 0;"
	"CREATE INDEX notify_group_again ON notify_group(route, receiver, again) WHERE again > 0;"
	"CREATE TABLE notify_member ("
	" grp INTEGER NOT NULL, alert INTEGER NOT NULL, pending INTEGER NOT NULL, said INTEGER NOT NULL DEFAULT 0,"
	" at INTEGER NOT NULL, PRIMARY KEY(grp, alert)) WITHOUT ROWID;"
	"CREATE INDEX notify_member_pending ON notify_member(grp, at, alert) WHERE pending > 0;"
	/* what a message says, in this order */
	"CREATE TABLE notify_part ("
	" message INTEGER NOT NULL, position INTEGER NOT NULL, alert INTEGER NOT NULL, why INTEGER NOT NULL,"
	" severity INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(message, position)) WITHOUT ROWID;"
	/* of a digest, counted while it is collected: alerts are long rows, and ten thousand of them are not read twice */
	"CREATE TABLE notify_tally ("
	" message INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,"
	" PRIMARY KEY(message, what, name)) WITHOUT ROWID;"
	"CREATE TABLE notify_lane ("
	" route TEXT NOT NULL, receiver TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,"
	" failures INTEGER NOT NULL DEFAULT 0, digests INTEGER NOT NULL DEFAULT 0, success INTEGER NOT NULL DEFAULT 0,"
	" failure INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', PRIMARY KEY(route, receiver)) WITHOUT ROWID;"
	/* messages end in several places */
	"CREATE TRIGGER outbox_gone AFTER DELETE ON outbox BEGIN"
	" DELETE FROM notify_part WHERE message = OLD.id;"
	" DELETE FROM notify_tally WHERE message = OLD.id;"
	" UPDATE notify_group SET is_busy = 0 WHERE id = OLD.grp_id; END;"
	"CREATE TRIGGER outbox_dead AFTER UPDATE OF is_dead ON outbox WHEN NEW.is_dead = 1 BEGIN"
	" UPDATE notify_group SET is_busy = 0 WHERE id = NEW.grp_id; END;",
	/* 9 -> 10. Tamper evidence: of each chain of the history its head, and the base that retention left; the days
	 * there are; the audit log's own chains (people's, agents'). When agents were not heard of. */
	"CREATE TABLE history_chain ("
	" agent TEXT NOT NULL, class INTEGER NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL,"
	" base INTEGER NOT NULL DEFAULT 0, base_hash BLOB NOT NULL DEFAULT x'', base_mac BLOB NOT NULL DEFAULT x'',"
	" PRIMARY KEY(agent, class)) WITHOUT ROWID;"
	"CREATE TABLE history_day ("
	" date INTEGER PRIMARY KEY, begun INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0,"
	" why TEXT NOT NULL DEFAULT '', mac BLOB NOT NULL DEFAULT x'');"
	"ALTER TABLE audit_log ADD COLUMN chain BLOB NOT NULL DEFAULT x'';"
	"CREATE TABLE audit_chain ("
	" is_agent INTEGER PRIMARY KEY, first INTEGER NOT NULL, base INTEGER NOT NULL, base_hash BLOB NOT NULL,"
	" base_mac BLOB NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL);"
	"CREATE TABLE agent_silence ("
	" id INTEGER PRIMARY KEY, agent TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL);"
	"CREATE INDEX agent_silence_of ON agent_silence(agent, id);"
	/* what was stored before has no chain; of a new store there is nothing */
	"INSERT INTO number SELECT 'unchained_until', CAST(strftime('%Y%m%d', 'now') AS INTEGER)"
	" WHERE EXISTS (SELECT 1 FROM agent_epoch);",
	/* 10 -> 11. What the collector says itself has keys that no finding can have: to go on folding into what is open, keys of
	 * three parts, that no agent is named for, become four. */
	"UPDATE alert SET fold_key = '[\"system\",' || substr(fold_key, 2)"
	" WHERE source = 'system' AND agent = '' AND json_valid(fold_key) AND json_array_length(fold_key) = 3;",
	/* 11 -> 12. What rules were told of a vulnerability in an image: whether it is executed, loaded, exposed. */
	"ALTER TABLE vuln_alert ADD COLUMN told_use INTEGER NOT NULL DEFAULT 0;",
	/* 12 -> 13. Policies of escalation, and how far down each has looked at the alerts from before it; 0: at all of them. */
	"CREATE TABLE escalation_policy ("
	" policy TEXT PRIMARY KEY, hash INTEGER NOT NULL, at INTEGER NOT NULL, is_gone INTEGER NOT NULL) WITHOUT ROWID;",
};

static const char *const day_steps[] = {
	/* 0 -> 1. Records are numbered through the day from 1 (rid); a tail row holds what one commit
	 * brought, a block what was sealed. Their data are separate from what prunes them, so that
	 * looking for candidates reads few pages. */
	"CREATE TABLE tail ("
	" first INTEGER PRIMARY KEY, n INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,"
	" received INTEGER NOT NULL, terms BLOB NOT NULL, raw_bytes INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE TABLE block ("
	" id INTEGER PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, t0 INTEGER NOT NULL,"
	" t1 INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,"
	/* room for a chain over the days, so that a block can't be taken out unseen */
	" chain BLOB);"
	"CREATE TABLE block_data (block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE posting ("
	" term INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY(term, block)) WITHOUT ROWID;"
	"CREATE TABLE watermark ("
	" agent TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" PRIMARY KEY(agent, epoch)) WITHOUT ROWID;",
	/* 1 -> 2. Classes (0: all in one, as before), blocks' bytes in files of their own (part 0: in block_data, as
	 * before), a filter a block instead of postings, links of the chains. */
	"ALTER TABLE tail ADD COLUMN class INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tail ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tail ADD COLUMN links BLOB NOT NULL DEFAULT x'';"
	"UPDATE tail SET last = first + n - 1;"
	"ALTER TABLE block ADD COLUMN class INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE block ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE block ADD COLUMN part INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE block ADD COLUMN at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE block ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	"UPDATE block SET last = first + n - 1;"
	"CREATE INDEX block_class ON block(class, id);"
	"CREATE TABLE block_filter (block INTEGER PRIMARY KEY, terms INTEGER NOT NULL, filter BLOB NOT NULL);"
	"CREATE TABLE chain ("
	" no INTEGER PRIMARY KEY, agent TEXT NOT NULL, class INTEGER NOT NULL, count0 INTEGER NOT NULL,"
	" hash0 BLOB NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL);"
	"CREATE INDEX chain_agent ON chain(agent, class, no);"
	/* part files that retention took before the day */
	"CREATE TABLE part_gone ("
	" class INTEGER NOT NULL, part INTEGER NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL, mac BLOB NOT NULL,"
	" PRIMARY KEY(class, part)) WITHOUT ROWID;",
	/* 2 -> 3. What a query asks of each block, without the links between: 25 bytes an agent and block. */
	"DROP INDEX block_class;"
	"CREATE INDEX block_place ON block(class, id, part, at, bytes, first, last, n, t0, t1, raw_bytes);",
};

const struct schema schema_state = { "state", 0x706b7431, state_steps, ARRAY_LEN(state_steps) };
const struct schema schema_day = { "history", 0x706b7432, day_steps, ARRAY_LEN(day_steps) };

static int read_version(struct db *d, const struct schema *sc, int *ret, struct err *err)
{
	int64_t version, id, tables;
	int r = db_number(d, "PRAGMA user_version", NULL, 0, &version, err);

	if (r >= 0)
		r = db_number(d, "PRAGMA application_id", NULL, 0, &id, err);
	if (r >= 0)
		r = db_number(d, "SELECT count(*) FROM sqlite_schema", NULL, 0, &tables, err);
	if (r < 0)
		return r;
	if (id != sc->application_id && (id || version || tables))
		return err_set(err, ERR_CORRUPT, "'%s' is not a picket %s database", d->path, sc->what);
	if (version > sc->count || version < 0)
		return err_set(err, ERR_VERSION,
			       "'%s' has schema %lld, this picket understands up to %d: it was made by a "
			       "newer one",
			       d->path, (long long)version, sc->count);
	*ret = (int)version;
	return 0;
}

/* One step, under the lock. 1: done, 0: nothing left to do. */
static int migrate_step(struct db *d, const struct schema *sc, struct err *err)
{
	char sql[96];
	int version;
	int r = db_begin(d, err);

	if (r < 0)
		return r;
	r = read_version(d, sc, &version, err); /* again: another process may have been faster */
	if (r >= 0 && version == sc->count) {
		db_rollback(d);
		return 0;
	}
	if (r >= 0)
		r = db_exec(d, sc->steps[version], err);
	if (r >= 0) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
			 sc->application_id, version + 1);
		r = db_exec(d, sql, err);
	}
	if (r >= 0)
		r = db_commit(d, err);
	if (r < 0) {
		db_rollback(d);
		return r;
	}
	return 1;
}

int schema_migrate(struct db *d, const struct schema *sc, struct err *err)
{
	int version;
	int r = read_version(d, sc, &version, err);

	if (r < 0 || version == sc->count)
		return r;
	do {
		r = migrate_step(d, sc, err);
	} while (r > 0);
	return r < 0 ? err_wrap(err, r, "migrate '%s'", d->path) : 0;
}
