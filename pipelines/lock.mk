# Goals run under a lock on OUT, in a make of their own with NF_LOCKED set; a run that finds OUT in use says so and waits.
# `make -n` changes nothing and needs no lock.

ifneq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
NF_LOCKED := 1
endif
ifndef NF_LOCKED
goals := $(or $(MAKECMDGOALS),all)
.PHONY: $(goals) under-lock
$(goals): under-lock
	@:
under-lock:
	@mkdir -p "$(OUT)"; flock -n "$(OUT)" true || echo "$(OUT) is in use by another run: waiting for it" >&2; \
	    flock "$(OUT)" $(MAKE) --no-print-directory -f "$(here)$(study).mk" NF_LOCKED=1 $(goals)
endif
