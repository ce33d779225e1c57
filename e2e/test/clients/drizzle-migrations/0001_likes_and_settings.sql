CREATE TABLE "likes" (
	"post_id" integer NOT NULL REFERENCES "posts",
	"person_id" integer NOT NULL REFERENCES "people",
	CONSTRAINT "likes_post_id_person_id_pk" PRIMARY KEY("post_id","person_id")
);
--> statement-breakpoint
ALTER TABLE "people" ADD COLUMN "labels" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "people" ADD COLUMN "settings" jsonb;
