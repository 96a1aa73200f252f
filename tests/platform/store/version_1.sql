BEGIN TRANSACTION;
CREATE TABLE accounts (
	name TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "accounts" VALUES('acme','i6b08e7ec15300e2c778d350a',1795745772339);
CREATE TABLE counters (
	stat TEXT NOT NULL, 
	object_id TEXT NOT NULL, 
	hour INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	PRIMARY KEY (stat, object_id, hour)
)
 WITHOUT ROWID

;
INSERT INTO "counters" VALUES('dropCreatedBy','i6b08e7ec15300e2c778d350a',498818,3);
INSERT INTO "counters" VALUES('flowDropAdded','f6b08e7ec15500e2c788d350a',498818,3);
CREATE TABLE drops (
	flow_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	edited BIGINT, 
	creator TEXT, 
	fhash TEXT, 
	elems TEXT NOT NULL, 
	types TEXT, 
	location TEXT, 
	parent TEXT, 
	PRIMARY KEY (flow_id, id), 
	CONSTRAINT one_drop_a_hash UNIQUE (flow_id, fhash)
)
 WITHOUT ROWID

;
INSERT INTO "drops" VALUES('f6b08e7ec15500e2c788d350a','d0000000100000e2c798d350a',1000,NULL,'i6b08e7ec15300e2c778d350a',NULL,'{"n":0}',NULL,NULL,NULL);
INSERT INTO "drops" VALUES('f6b08e7ec15500e2c788d350a','d0000000200000e2c7b8d350a',2000,NULL,'i6b08e7ec15300e2c778d350a',NULL,'{"n":2}',NULL,NULL,NULL);
INSERT INTO "drops" VALUES('f6b08e7ec15500e2c788d350a','d0000000300000e2c7a8d350a',3000,NULL,'i6b08e7ec15300e2c778d350a','h3','{"n":1}',NULL,NULL,NULL);
CREATE TABLE idempotency_keys (
	mark BLOB NOT NULL, 
	created BIGINT NOT NULL, 
	result BLOB NOT NULL, 
	PRIMARY KEY (mark)
)
 WITHOUT ROWID

;
CREATE TABLE resources (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	account TEXT NOT NULL, 
	path TEXT, 
	created BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "resources" VALUES('i6b08e7ec15300e2c778d350a','identity','acme',NULL,1795745772339,'{"id":"i6b08e7ec15300e2c778d350a","name":"acme","creationDate":1795745772339,"creatorId":"i6b08e7ec15300e2c778d350a","groupIds":[]}');
INSERT INTO "resources" VALUES('f6b08e7ec15500e2c788d350a','flow','acme','/acme/old',1795745772341,'{"id":"f6b08e7ec15500e2c788d350a","path":"/acme/old","capacity":3,"creationDate":1795745772341,"creatorId":"i6b08e7ec15300e2c778d350a"}');
CREATE TABLE sizes (
	flow_id TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	PRIMARY KEY (flow_id)
)
 WITHOUT ROWID

;
INSERT INTO "sizes" VALUES('f6b08e7ec15500e2c788d350a',3);
CREATE TABLE things_collections (
	number INTEGER NOT NULL, 
	account TEXT NOT NULL, 
	name TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (number)
);
CREATE TABLE things_tokens (
	hash TEXT NOT NULL, 
	account TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (hash)
)
 WITHOUT ROWID

;
CREATE TABLE things_users (
	name TEXT NOT NULL, 
	account TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
CREATE TABLE things_values (
	collection INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (collection, kind, "key")
)
 WITHOUT ROWID

;
CREATE TABLE token_hashes (
	hash TEXT NOT NULL, 
	account TEXT NOT NULL, 
	token_id TEXT, 
	PRIMARY KEY (hash)
);
CREATE INDEX ix_token_hashes_account ON token_hashes (account);
CREATE INDEX resources_by_account ON resources (account, kind, created, id);
CREATE INDEX resources_by_path ON resources (kind, path);
CREATE UNIQUE INDEX one_flow_a_path ON resources (path) WHERE kind = 'flow';
CREATE INDEX ix_things_collections_account ON things_collections (account);
CREATE INDEX ix_things_users_account ON things_users (account);
CREATE INDEX ix_things_tokens_account ON things_tokens (account);
COMMIT;
PRAGMA user_version=1;
