-- What headrace 0.1.0 wrote before there were calls (format 1): a dump of a real file, with its header's numbers.
PRAGMA application_id = 1752326499;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE graphs (
    service TEXT NOT NULL, mapping TEXT NOT NULL, identity TEXT, generation TEXT, paused INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (service, mapping)
);
INSERT INTO "graphs" VALUES('shop','m','stream','38f97e7d34240259',0,0);
INSERT INTO "graphs" VALUES('shop','n',NULL,NULL,1,0);
CREATE TABLE shards (
    service TEXT NOT NULL, mapping TEXT NOT NULL, shard TEXT NOT NULL, parents TEXT NOT NULL,
    position TEXT NOT NULL, ended INTEGER NOT NULL, owner TEXT, epoch INTEGER NOT NULL, boot TEXT, expires REAL,
    memo BLOB, crashes INTEGER NOT NULL, mark_position TEXT, mark_attempt INTEGER, asked TEXT, state TEXT NOT NULL,
    UNIQUE (service, mapping, shard)
);
INSERT INTO "shards" VALUES('shop','m','a','[]','TRIM_HORIZON',1,NULL,0,NULL,NULL,NULL,0,NULL,NULL,NULL,'');
INSERT INTO "shards" VALUES('shop','m','b/é','["a"]','7',0,'host:1:abcd',1,'a-boot-of-then',2149.821257038,X'0077696E646F77',0,'8',2,NULL,'');
COMMIT;
